package postgres

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

//go:embed docker.sh
var dockerScript string

// DefaultImage is the image that [Find] starts.
const DefaultImage = "postgres:17"

// pullLimit is generous: an image has about 150 MB.
const pullLimit = 15 * time.Minute

var (
	errNoDocker     = errors.New("no docker command found")
	errDockerSilent = errors.New("the docker command was found, but its engine does not answer")
)

// Docker starts a container of image with the docker command and with settings such
// as "fsync=off". It pulls the image if necessary. ctx limits the start of the
// server, not its life.
func Docker(ctx context.Context, image string, settings ...string) (*Server, error) {
	return thisMachine().docker(ctx, image, settings)
}

func (m machine) docker(ctx context.Context, image string, settings []string) (*Server, error) {
	attr, err := detached(false)
	if err != nil {
		return nil, err
	}
	docker := m.command("docker")
	if docker == "" {
		return nil, errNoDocker
	}
	if _, err := output(ctx, 5*time.Second, docker, "version", "--format", "{{.Server.Version}}"); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", errDockerSilent, err)
	}

	args := []string{docker, image}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	g, err := m.startGuard(guardSpec{script: dockerScript, password: rand.Text(), args: args, env: os.Environ(), attr: attr})
	if err != nil {
		return nil, fmt.Errorf("start Docker image %s: %w", image, err)
	}
	s := &Server{Origin: "Docker image " + image, guard: g}
	err = g.waitFor(ctx, pullLimit, func(ctx context.Context) error {
		if s.URL == "" {
			out, err := output(ctx, attempt, docker, "port", g.name, "5432/tcp")
			if err != nil {
				return err
			}
			// One line for each address.
			address, _, _ := strings.Cut(out, "\n")
			host, port, err := net.SplitHostPort(strings.TrimSpace(address))
			if err != nil {
				return err
			}
			s.URL = dsn(g.password, host, port)
		}
		_, err := ping(ctx, s.URL)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start Docker image %s: %w", image, err)
	}
	return s, nil
}

// output runs a command for at most limit and returns its output. The error contains
// the command's standard error.
func output(ctx context.Context, limit time.Duration, command string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.WaitDelay = time.Second // a child that goes on may hold the pipe open
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && len(failed.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	return string(out), err
}
