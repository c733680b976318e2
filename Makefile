# Everything here works from a clean clone with Go and PostgreSQL's server
# binaries (or Docker, or PGMQ_TEST_DATABASE_URL). `make` alone lists the targets.

SQLC   := go -C tools tool sqlc
LINT   := go tool -modfile=$(CURDIR)/tools/lint/go.mod golangci-lint
# Runs a command in tests/.
WITHPG := go -C tests run ./withpg
MODULES := . tests bench tools tools/lint
VERSIONS ?= 15,16,17,18
ROOMS ?= ./...
SKIP ?= ^$$
# A number of inputs. With a duration go test itself fails now and then, with
# nothing but "context deadline exceeded".
FUZZTIME ?= 3000x
BENCH ?= .
BENCHTIME ?= 2s
export RAPID_SEED ?= 1

PACKAGES := queue queue/admin schema

.PHONY: api help demo test test-slow integration fuzz bench microbench chaos extension deb generate format verify

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## carry a week of earthquakes through a queue, on a Postgres of its own
	@go run ./examples/quakes

test: ## run all tests but the slow ones against one real Postgres, with the race detector
	@RAPID_CHECKS=40 $(WITHPG) go run ./internal/slowest -in . -in .. -- -race -vet=off -count=1 -p 2 -parallel 6 -timeout 20m ./...

test-slow: ## run the tests that measure time, take long, or build other programs; SKIP=regexp
	@PGMQ_TEST_SLOW=1 $(WITHPG) sh -c 'go run ./internal/slowest -in . -- -count=1 -p 2 -parallel 6 -timeout 30m -skip "$(SKIP)" \
		$$(grep -rlE "check\.(Slow|Long)\(" --include="*_test.go" . | xargs -n1 dirname | sort -u) && go -C .. test -count=1 ./internal/postgres'

integration: ## run all tests on each version of Postgres, by dockertest; VERSIONS=17 ROOMS="./sql" for some
	@$(WITHPG) -versions $(VERSIONS) sh -c 'go test -count=1 -p 2 -parallel 4 -timeout 30m $(ROOMS) && go -C .. test -count=1 ./...'

fuzz: ## look for inputs that break a parser or a codec; FUZZTIME=1000000x for longer
	@$(WITHPG) sh -c 'cd .. && grep -rnoE --include="*_test.go" "^func Fuzz\w+" . | while IFS=: read -r file _ target; do \
		echo "$$file $$target" && go -C "$$(dirname "$$file")" test -run "^$$" -fuzz "^$${target#func }$$" -fuzztime $(FUZZTIME) . || exit; done'

bench: ## measure beside other queues, with charts, to build/bench; ARGS=-h tells more
	@go -C bench build -o ../build/pgmq-bench . && build/pgmq-bench $(ARGS)

microbench: ## measure single functions, durable; BENCH=Variants BENCHTIME=7x for some, and longer
	@$(WITHPG) -durable go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) ./bench

chaos: ## break what queues stand on, under load, and check what every client saw; ARGS=-h
	@go -C tests run ./chaos $(ARGS)

extension: ## write the migrations as a Postgres extension, to build/extension
	@go run ./internal/extension/write build/extension

deb: ## pack the extension, for every major version of Postgres, with the command
	@sh internal/extension/deb.sh build

generate: ## write db/ anew from queries/ and schema/
	$(SQLC) generate -f ../sqlc.yaml

api: ## write the list of exported declarations, docs/api.txt, anew
	go run ./internal/apilist $(PACKAGES) > docs/api.txt

format: ## format the Go code
	$(LINT) fmt ./...
	cd tests && $(LINT) fmt ./...
	cd bench && $(LINT) fmt ./...

verify: ## check that generated code, modules, queries, lint and format are in order
	$(SQLC) diff -f ../sqlc.yaml
	$(WITHPG) sh -c 'PGMQ_SQLC_DATABASE_URL=$$PGMQ_TEST_DATABASE_URL go -C ../tools tool sqlc vet -f ../sqlc.yaml'
	@echo "docs/api.txt" && go run ./internal/apilist $(PACKAGES) | diff -u docs/api.txt - || { echo "the API has changed: make api"; exit 1; }
	@for module in $(MODULES); do echo "go -C $$module mod tidy -diff"; go -C $$module mod tidy -diff || exit 1; done
	$(LINT) run ./...
	cd tests && $(LINT) run ./...
	cd bench && $(LINT) run ./...
