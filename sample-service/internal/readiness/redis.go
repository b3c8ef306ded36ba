package readiness

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// Redis returns a check of the server at rawURL (redis:// or rediss://) and
// what closes its connections. It does not connect before the first Ping.
func Redis(rawURL string) (Check, func() error, error) {
	opts, err := redis.ParseURL(rawURL)
	if err != nil {
		// The cause may quote the URL and with it a password.
		return Check{}, nil, errors.New("redis URL does not parse; it should look like redis://host:6379/0")
	}
	client := redis.NewClient(opts)
	return Check{
		Name: "redis",
		Ping: func(ctx context.Context) error { return client.Ping(ctx).Err() },
	}, client.Close, nil
}
