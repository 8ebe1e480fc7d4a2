// Package profile makes clients with the credentials, region and endpoint of
// AWS profiles, found as the AWS SDKs find them: environment, credentials and
// configuration files, single sign-on, roles to assume, the machine's own role.
package profile

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"twinbucket/client"
	"twinbucket/fault"
)

// Options say which profile, and what overrides it.
type Options struct {
	Name     string // "" is AWS_PROFILE, or else default
	Endpoint string // "" is the profile's endpoint_url, AWS_ENDPOINT_URL, or else AWS
	Region   string // "" is the profile's region, or else us-east-1
}

// Client returns a client of the profile. Its credentials are those of now:
// temporary ones are not renewed.
func Client(ctx context.Context, o Options) (*client.Client, error) {
	opts := []func(*config.LoadOptions) error{config.WithRegion(o.Region), config.WithLogger(logging.Nop{})}
	if o.Name != "" {
		opts = append(opts, config.WithSharedConfigProfile(o.Name))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	var none config.SharedConfigProfileNotExistError
	if errors.As(err, &none) {
		return nil, fault.Newf(fault.NotFound, "", "there is no profile %q", o.Name).
			WithHint("profiles are in ~/.aws/credentials and ~/.aws/config, or where AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE say")
	}
	if err != nil {
		return nil, fault.Wrap("profile.load", o.Name, err)
	}
	cred, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, &fault.Error{
			Op: "profile.credentials", Thing: o.Name, Kind: fault.Unknown, Message: "no credentials were found", Err: err,
			Hint: "name a profile with --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
		}
	}
	endpoint := o.Endpoint
	if endpoint == "" {
		endpoint = aws.ToString(cfg.BaseEndpoint)
	}
	return client.New(client.Config{
		Endpoint: endpoint, Region: cfg.Region,
		Credentials: client.Credentials{AccessKey: cred.AccessKeyID, Secret: cred.SecretAccessKey, Token: cred.SessionToken},
	})
}
