// Package service puts the parts together, runs them, and stops them within a
// deadline. It is the only package that knows all the others.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/thimble-build/thimble/sample-service/internal/api"
	"github.com/thimble-build/thimble/sample-service/internal/fetch"
	"github.com/thimble-build/thimble/sample-service/internal/readiness"
	"github.com/thimble-build/thimble/sample-service/internal/telemetry"
)

// Service is open for connections once New has returned, and answers them
// during Run.
type Service struct {
	cfg    Config
	log    *slog.Logger
	gate   *readiness.Gate
	http   *http.Server
	listen net.Listener
	grpc   *grpcHealth // nil if it has no address

	closers []func(context.Context) error
}

// New opens the service's addresses. After an error there is nothing to close.
func New(ctx context.Context, cfg Config, log *slog.Logger) (_ *Service, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()

	var checks []readiness.Check
	if cfg.RedisURL != "" {
		check, closeRedis, err := readiness.Redis(cfg.RedisURL, log)
		if err != nil {
			return nil, err
		}
		checks = append(checks, check)
		s.closers = append(s.closers, func(context.Context) error { return closeRedis() })
	}
	s.gate = readiness.New(log, checks...)
	tracer, flush, err := telemetry.NewTracerProvider(ctx, log)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func(ctx context.Context) error {
		// A collector that is gone is no reason to fail.
		if err := flush(ctx); err != nil {
			log.Warn("flush traces", "error", err)
		}
		return nil
	})
	client := fetch.New(fetch.Options{
		Timeout:      cfg.FetchTimeout,
		MaxBytes:     cfg.FetchMaxBytes,
		AllowPrivate: cfg.AllowPrivateFetch,
	})
	s.closers = append(s.closers, func(context.Context) error { client.Close(); return nil })

	s.http = &http.Server{
		Handler: api.New(api.Options{
			Log:            log,
			Metrics:        telemetry.NewMetrics(),
			Tracer:         tracer,
			Gate:           s.gate,
			Fetch:          client,
			Limiter:        rate.NewLimiter(rate.Limit(cfg.RateLimit), cfg.RateBurst),
			UploadMaxBytes: cfg.UploadMaxBytes,
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute + cfg.FetchTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	var lc net.ListenConfig
	if s.listen, err = lc.Listen(ctx, "tcp", cfg.Addr); err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	if cfg.GRPCAddr != "" {
		if s.grpc, err = newGRPCHealth(ctx, cfg.GRPCAddr, s.gate); err != nil {
			return nil, errors.Join(err, s.listen.Close())
		}
	}
	return s, nil
}

// Addr is where HTTP is served.
func (s *Service) Addr() net.Addr { return s.listen.Addr() }

// Run serves until ctx is done or a part fails, then stops everything. It
// returns nil if every request in flight was answered within the shutdown timeout.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	s.log.Info("serving", "addr", s.Addr().String())
	group.Go(func() error {
		if err := s.http.Serve(s.listen); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
	if s.grpc != nil {
		s.log.Info("serving gRPC health", "addr", s.grpc.addr().String())
		group.Go(s.grpc.serve)
		group.Go(func() error { s.grpc.watch(ctx); return nil })
	}
	group.Go(func() error {
		<-ctx.Done()
		return s.shutdown()
	})
	return group.Wait()
}

// shutdown lets requests in flight end, and cuts them off at the deadline.
func (s *Service) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	s.gate.Drain()
	s.log.Info("shutting down", "timeout", s.cfg.ShutdownTimeout.String())
	time.Sleep(s.cfg.DrainDelay)

	var group errgroup.Group
	group.Go(func() error {
		if err := s.http.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("shut down HTTP: %w", err), s.http.Close())
		}
		return nil
	})
	if s.grpc != nil {
		group.Go(func() error { s.grpc.stop(ctx); return nil })
	}
	err := errors.Join(group.Wait(), s.close(ctx))
	s.log.Info("shut down", "complete", err == nil)
	return err
}

func (s *Service) close(ctx context.Context) error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c(ctx))
	}
	return errors.Join(errs...)
}
