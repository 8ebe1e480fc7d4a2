# The verbs of this repository; "make" prints them.
.DEFAULT_GOAL := help
.PHONY: help build test race fuzz e2e bench lint ci

TOOL = go tool -modfile=tools/go.mod
FUZZTIME ?= 30s

help: ## print the verbs
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' Makefile

build: ## build bin/twinbucket
	CGO_ENABLED=0 go build -trimpath -o bin/twinbucket ./cmd/twinbucket

test: ## run the tests
	go test ./...

race: ## run the tests under the race detector
	CGO_ENABLED=1 go test -race ./...

fuzz: ## fuzz every target for FUZZTIME (30s)
	tools/fuzz $(FUZZTIME)

e2e: ## run the suites with foreign clients: aws, boto3, rclone, s3cmd, curl
	cd test/e2e && go test -count=1 -timeout 40m ./...

bench: ## measure the server's processor time per operation
	go test ./test/bench -run '^$$' -bench . -benchtime 20000x

lint: ## vet, gofumpt, staticcheck and go mod tidy, in every module
	tools/lint

ci: ## everything that must hold before a change lands
	.ci/run
