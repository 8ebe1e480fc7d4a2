package wire

import (
	"net/http"

	"twinbucket/fault"
)

// kindStatus is the HTTP status of each kind; codeStatus goes before it.
var kindStatus = [...]int{
	fault.Other:        http.StatusInternalServerError,
	fault.Invalid:      http.StatusBadRequest,
	fault.NotFound:     http.StatusNotFound,
	fault.Exists:       http.StatusConflict,
	fault.Denied:       http.StatusForbidden,
	fault.Unknown:      http.StatusForbidden,
	fault.Conflict:     http.StatusConflict,
	fault.Precondition: http.StatusPreconditionFailed,
	fault.TooLarge:     http.StatusBadRequest,
	fault.Unsupported:  http.StatusNotImplemented,
	fault.Busy:         http.StatusServiceUnavailable,
	fault.Damaged:      http.StatusInternalServerError,
	fault.NoSpace:      http.StatusInsufficientStorage,
	fault.Closed:       http.StatusServiceUnavailable,
}

// codeStatus holds AWS's codes whose status their kind does not give, or
// which are made with different kinds in different places. Sources: Amazon S3
// API Reference, "Error responses"; the errors of IAM, STS and CloudFormation
// in their API references.
var codeStatus = map[string]int{
	// S3
	"NotModified":                                    http.StatusNotModified,
	"PermanentRedirect":                              http.StatusMovedPermanently,
	"TemporaryRedirect":                              http.StatusTemporaryRedirect,
	"AccessDenied":                                   http.StatusForbidden,
	"InvalidAccessKeyId":                             http.StatusForbidden,
	"InvalidObjectState":                             http.StatusForbidden,
	"CrossLocationLoggingProhibitted":                http.StatusForbidden,
	"InvalidPayer":                                   http.StatusForbidden,
	"RequestTimeTooSkewed":                           http.StatusForbidden,
	"SignatureDoesNotMatch":                          http.StatusForbidden,
	"AuthorizationHeaderMalformed":                   http.StatusBadRequest,
	"AuthorizationQueryParametersError":              http.StatusBadRequest,
	"ExpiredToken":                                   http.StatusBadRequest,
	"InvalidToken":                                   http.StatusBadRequest,
	"MissingSecurityHeader":                          http.StatusBadRequest,
	"XAmzContentSHA256Mismatch":                      http.StatusBadRequest,
	"BadDigest":                                      http.StatusBadRequest,
	"EntityTooLarge":                                 http.StatusBadRequest,
	"EntityTooSmall":                                 http.StatusBadRequest,
	"IncompleteBody":                                 http.StatusBadRequest,
	"InvalidPart":                                    http.StatusBadRequest,
	"InvalidPartOrder":                               http.StatusBadRequest,
	"KeyTooLongError":                                http.StatusBadRequest,
	"MalformedPolicy":                                http.StatusBadRequest,
	"MalformedXML":                                   http.StatusBadRequest,
	"MaxMessageLengthExceeded":                       http.StatusBadRequest,
	"TooManyBuckets":                                 http.StatusBadRequest,
	"InvalidRequest":                                 http.StatusBadRequest,
	"NoSuchBucket":                                   http.StatusNotFound,
	"NoSuchBucketPolicy":                             http.StatusNotFound,
	"NoSuchKey":                                      http.StatusNotFound,
	"NoSuchUpload":                                   http.StatusNotFound,
	"NoSuchVersion":                                  http.StatusNotFound,
	"NoSuchTagSet":                                   http.StatusNotFound,
	"NoSuchLifecycleConfiguration":                   http.StatusNotFound,
	"NoSuchCORSConfiguration":                        http.StatusNotFound,
	"NoSuchPublicAccessBlockConfiguration":           http.StatusNotFound,
	"OwnershipControlsNotFoundError":                 http.StatusNotFound,
	"ReplicationConfigurationNotFoundError":          http.StatusNotFound,
	"ObjectLockConfigurationNotFoundError":           http.StatusNotFound,
	"ServerSideEncryptionConfigurationNotFoundError": http.StatusNotFound,
	"MethodNotAllowed":                               http.StatusMethodNotAllowed,
	"BucketAlreadyExists":                            http.StatusConflict,
	"BucketAlreadyOwnedByYou":                        http.StatusConflict,
	"BucketNotEmpty":                                 http.StatusConflict,
	"InvalidBucketState":                             http.StatusConflict,
	"OperationAborted":                               http.StatusConflict,
	"ConditionalRequestConflict":                     http.StatusConflict,
	"MissingContentLength":                           http.StatusLengthRequired,
	"PreconditionFailed":                             http.StatusPreconditionFailed,
	"InvalidRange":                                   http.StatusRequestedRangeNotSatisfiable,
	"InvalidPartNumber":                              http.StatusRequestedRangeNotSatisfiable,
	"NotImplemented":                                 http.StatusNotImplemented,
	"InternalError":                                  http.StatusInternalServerError,
	"ServiceUnavailable":                             http.StatusServiceUnavailable,
	"SlowDown":                                       http.StatusServiceUnavailable,
	"RequestTimeout":                                 http.StatusBadRequest,

	// S3 Control
	"BadRequestException":       http.StatusBadRequest,
	"IdempotencyException":      http.StatusBadRequest,
	"InvalidNextTokenException": http.StatusBadRequest,
	"InvalidRequestException":   http.StatusBadRequest,
	"JobStatusException":        http.StatusBadRequest,
	"TooManyTagsException":      http.StatusBadRequest,
	"NotFoundException":         http.StatusNotFound,
	"TooManyRequestsException":  http.StatusTooManyRequests,
	"InternalServiceException":  http.StatusInternalServerError,

	// IAM, STS, CloudFormation
	"AlreadyExistsException":            http.StatusBadRequest,
	"ChangeSetNotFound":                 http.StatusNotFound,
	"DeleteConflict":                    http.StatusConflict,
	"EntityAlreadyExists":               http.StatusConflict,
	"ExpiredTokenException":             http.StatusForbidden,
	"InsufficientCapabilitiesException": http.StatusBadRequest,
	"IncompleteSignature":               http.StatusBadRequest,
	"InvalidAction":                     http.StatusBadRequest,
	"InvalidChangeSetStatus":            http.StatusBadRequest,
	"InvalidClientTokenId":              http.StatusForbidden,
	"InvalidInput":                      http.StatusBadRequest,
	"LimitExceeded":                     http.StatusConflict,
	"LimitExceededException":            http.StatusBadRequest,
	"MalformedPolicyDocument":           http.StatusBadRequest,
	"MalformedQueryString":              http.StatusNotFound,
	"MissingAction":                     http.StatusBadRequest,
	"MissingAuthenticationToken":        http.StatusForbidden,
	"NoSuchEntity":                      http.StatusNotFound,
	"PackedPolicyTooLarge":              http.StatusBadRequest,
	"Throttling":                        http.StatusBadRequest,
	"TokenAlreadyExistsException":       http.StatusBadRequest,
	"UnsupportedMediaType":              http.StatusUnsupportedMediaType,
	"ValidationError":                   http.StatusBadRequest,
	"InternalFailure":                   http.StatusInternalServerError,
}

// Status returns the HTTP status for err: that of its AWS code, else that of
// its kind; 200 for nil.
func Status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	if s, ok := codeStatus[fault.CodeOf(err)]; ok {
		return s
	}
	if k := fault.KindOf(err); int(k) < len(kindStatus) {
		return kindStatus[k]
	}
	return http.StatusInternalServerError
}
