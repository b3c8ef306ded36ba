package publish

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/session"
)

// AnsweringEngine returns the container engine that answers; with Session.Offline, only one on
// this machine.
func AnsweringEngine(ctx context.Context, s *session.Session) (Engine, error) {
	if s.Offline {
		hosts, err := EngineHosts(ctx, s.Env)
		if err != nil {
			return Engine{}, err
		}
		for _, host := range hosts {
			if err := s.Reach("find a container engine", host); err != nil {
				return Engine{}, err
			}
		}
	}
	return FindEngine(ctx, "", s.Env)
}
