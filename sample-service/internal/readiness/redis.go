package readiness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// Redis returns a check of the server at rawURL (redis:// or rediss://) and
// what closes its connections. It does not connect before the first Ping.
func Redis(rawURL string, log *slog.Logger) (Check, func() error, error) {
	opts, err := redis.ParseURL(rawURL)
	if err != nil {
		// The cause may quote the URL and with it a password.
		return Check{}, nil, errors.New("redis URL does not parse; it should look like redis://host:6379/0")
	}
	// Whoever asks for readiness asks again.
	opts.MaxRetries, opts.DialerRetries = -1, 1
	redis.SetLogger(redisLog{log})
	client := redis.NewClient(opts)
	return Check{
		Name: "redis",
		Ping: func(ctx context.Context) error { return client.Ping(ctx).Err() },
	}, client.Close, nil
}

// redisLog keeps what the client has to say in the service's one format.
type redisLog struct{ *slog.Logger }

// Printf is what the client calls.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
}
