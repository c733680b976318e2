// Package dockerpg starts a Postgres in a container, with dockertest.
package dockerpg

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/ory/dockertest/v3"
	"github.com/ory/dockertest/v3/docker"
)

// lifetime ends a container whose tests were killed, in seconds.
const lifetime = 3600

// Start runs the image, NAME:TAG, with settings such as "fsync=off", and waits
// until it answers. It is a pgtest.Docker.
func Start(ctx context.Context, image string, settings ...string) (url string, stop func() error, err error) {
	pool, err := engine()
	if err != nil {
		return "", nil, err
	}
	command := []string{"postgres"}
	for _, setting := range settings {
		command = append(command, "-c", setting)
	}
	name, tag := split(image)
	password := rand.Text() // tests look for it where it must not be
	container, err := pool.RunWithOptions(&dockertest.RunOptions{
		Repository:   name,
		Tag:          tag,
		Env:          []string{"POSTGRES_PASSWORD=" + password},
		Cmd:          command,
		ExposedPorts: []string{"5432/tcp"},
		PortBindings: map[docker.Port][]docker.PortBinding{"5432/tcp": {{HostIP: "127.0.0.1"}}},
	}, func(host *docker.HostConfig) { host.AutoRemove = true })
	if err != nil {
		return "", nil, fmt.Errorf("docker image %s: %w", image, err)
	}
	stop = func() error { return pool.Purge(container) }
	_ = container.Expire(lifetime)

	url = fmt.Sprintf("postgres://postgres:%s@%s/postgres?sslmode=disable", password, container.GetHostPort("5432/tcp"))
	pool.MaxWait = time.Minute
	err = pool.Retry(func() error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		return conn.Ping(ctx)
	})
	if err != nil {
		_ = stop()
		return "", nil, fmt.Errorf("docker image %s does not answer: %w", image, err)
	}
	return url, stop, nil
}

// Fetch pulls the image, NAME:TAG, unless it is here.
func Fetch(image string) error {
	pool, err := engine()
	if err != nil {
		return err
	}
	if _, err := pool.Client.InspectImage(image); err == nil {
		return nil
	}
	name, tag := split(image)
	if err := pool.Client.PullImage(docker.PullImageOptions{Repository: name, Tag: tag}, docker.AuthConfiguration{}); err != nil {
		return fmt.Errorf("image %s: %w", image, err)
	}
	return nil
}

func engine() (*dockertest.Pool, error) {
	pool, err := dockertest.NewPool("")
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	if err := pool.Client.Ping(); err != nil {
		return nil, fmt.Errorf("docker does not answer: %w", err)
	}
	return pool, nil
}

func split(image string) (name, tag string) {
	name, tag, found := strings.Cut(image, ":")
	if !found {
		tag = "latest"
	}
	return name, tag
}
