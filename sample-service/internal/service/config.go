package service

import (
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/pflag"
)

// Config is everything that can be set. Bind gives the fields their defaults.
type Config struct {
	Addr            string
	GRPCAddr        string
	LogLevel        slog.Level
	ShutdownTimeout time.Duration
	DrainDelay      time.Duration

	AllowPrivateFetch bool
	FetchTimeout      time.Duration
	FetchMaxBytes     int64
	UploadMaxBytes    int64
	RateLimit         float64 // requests a second
	RateBurst         int

	RedisURL string
}

// Bind defines a flag for every field.
func (c *Config) Bind(flags *pflag.FlagSet) {
	flags.StringVar(&c.Addr, "addr", ":8080", "address for HTTP")
	flags.StringVar(&c.GRPCAddr, "grpc-addr", "", "address for the gRPC health service; none if empty")
	flags.TextVar(&c.LogLevel, "log-level", slog.LevelInfo, "a `level`: debug, info, warn or error")
	flags.DurationVar(&c.ShutdownTimeout, "shutdown-timeout", 10*time.Second, "time between SIGTERM and the end, at most")
	flags.DurationVar(&c.DrainDelay, "drain-delay", 0, "time to go on serving while /readyz already fails, of the shutdown timeout")

	flags.BoolVar(&c.AllowPrivateFetch, "allow-private-fetch", false, "let /fetch connect to addresses that are not public")
	flags.DurationVar(&c.FetchTimeout, "fetch-timeout", 10*time.Second, "time for one /fetch, at most")
	flags.Int64Var(&c.FetchMaxBytes, "fetch-max-bytes", 1<<20, "size of what /fetch reads, at most")
	flags.Int64Var(&c.UploadMaxBytes, "upload-max-bytes", 32<<20, "size of what /upload takes, at most")
	flags.Float64Var(&c.RateLimit, "rate-limit", 50, "requests a second for /fetch and /upload together")
	flags.IntVar(&c.RateBurst, "rate-burst", 100, "requests at once for /fetch and /upload together")

	flags.StringVar(&c.RedisURL, "redis-url", "", "a Redis server that /readyz asks; none if empty")
}

func (c *Config) validate() error {
	if c.ShutdownTimeout <= 0 || c.FetchTimeout <= 0 || c.FetchMaxBytes <= 0 || c.UploadMaxBytes <= 0 ||
		c.RateLimit <= 0 || c.RateBurst <= 0 {
		return errors.New("timeouts, sizes and rates must be more than zero")
	}
	if c.DrainDelay < 0 || c.DrainDelay >= c.ShutdownTimeout {
		return errors.New("the drain delay must be shorter than the shutdown timeout")
	}
	return nil
}
