package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Not parallel: the environment says where Docker and the binaries are.
func TestAVersionIsFoundInItsBinariesOrNotAtHand(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "nobody"))
	bin := t.TempDir()
	t.Setenv(binariesVar, "/no/such/directory:"+bin)
	says := []byte("#!/bin/sh\necho 'postgres (PostgreSQL) 93.2 (Debian 93.2-1)'\n")
	if err := os.WriteFile(filepath.Join(bin, "postgres"), says, 0o755); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}

	server, err := find(t.Context(), "93")
	if err != nil || server.origin != bin || !slices.Contains(server.env, "PATH="+bin+":"+os.Getenv("PATH")) {
		t.Errorf("found %+v, %v", server, err)
	}
	_, err = find(t.Context(), "9")
	if err == nil || !strings.Contains(err.Error(), "docker does not answer") || !strings.Contains(err.Error(), "/usr/lib/postgresql/9/bin") {
		t.Errorf("the error is %v", err)
	}
	if err := onEach(t.Context(), []string{"9", "1"}, []string{"true"}, false); err == nil {
		t.Error("that none ran is no error")
	}
}
