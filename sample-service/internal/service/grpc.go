package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/thimble-build/thimble/sample-service/internal/readiness"
)

// grpcHealth tells over the gRPC health checking protocol what /readyz tells
// over HTTP.
type grpcHealth struct {
	gate   *readiness.Gate
	server *grpc.Server
	health *health.Server
	listen net.Listener
}

func newGRPCHealth(ctx context.Context, addr string, gate *readiness.Gate) (*grpcHealth, error) {
	var lc net.ListenConfig
	listen, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for gRPC: %w", err)
	}
	g := &grpcHealth{gate: gate, server: grpc.NewServer(), health: health.NewServer(), listen: listen}
	g.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	healthpb.RegisterHealthServer(g.server, g.health)
	return g, nil
}

func (g *grpcHealth) addr() net.Addr { return g.listen.Addr() }

func (g *grpcHealth) serve() error {
	if err := g.server.Serve(g.listen); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve gRPC: %w", err)
	}
	return nil
}

// watch keeps the status true until ctx is done. It asks at a steady pace while
// all is well, and backs off while a dependency is down.
func (g *grpcHealth) watch(ctx context.Context) {
	const pace = 5 * time.Second
	retry := backoff.NewExponentialBackOff()
	retry.MaxInterval = 30 * time.Second
	for {
		status, wait := healthpb.HealthCheckResponse_SERVING, pace
		if g.gate.Report(ctx).Ready {
			retry.Reset()
		} else {
			status, wait = healthpb.HealthCheckResponse_NOT_SERVING, retry.NextBackOff()
		}
		g.health.SetServingStatus("", status)
		select {
		case <-ctx.Done():
			g.health.Shutdown()
			return
		case <-time.After(wait):
		}
	}
}

// stop lets calls in flight end. A check ends at once and a health watch never
// does, so it waits only as long as a watcher needs to hear the last status.
func (g *grpcHealth) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	g.health.Shutdown()
	defer context.AfterFunc(ctx, g.server.Stop)()
	g.server.GracefulStop()
}
