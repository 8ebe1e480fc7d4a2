# The verbs of this repository; "make" prints them.
.PHONY: help build test race lint fuzz e2e bench ci

help: ## print the verbs
	@grep -E '^[a-z0-9]+:.*##' Makefile | sed 's/:.*##/\t/'

build: ## build bin/twinbucket
	CGO_ENABLED=0 go build -trimpath -o bin/twinbucket ./cmd/twinbucket

test: ## run the tests
	go test ./...

race: ## run the tests under the race detector
	CGO_ENABLED=1 go test -race ./...

lint: ## vet, gofumpt and staticcheck
	go vet ./...
	test -z "$$(go tool -modfile=tools/go.mod gofumpt -l .)"
	go tool -modfile=tools/go.mod staticcheck ./...

fuzz: ## fuzz every target for FUZZTIME (30s)
	@for p in $$(go list ./...); do for t in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $${FUZZTIME:-30s} $$p || exit 1; done; done

e2e: ## run the suites with foreign clients (aws, boto3, rclone, s3cmd must be there)
	cd test/e2e && go test -count=1 ./...

bench: ## measure the server's processor time per operation
	go test ./test/bench -run '^$$' -bench . -benchtime 20000x

ci: ## everything that must hold before a change lands
	.ci/run
