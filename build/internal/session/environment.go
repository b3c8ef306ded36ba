package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/internal/secret"
	"github.com/thimble-build/thimble/build/plan"
)

// RoomVariable names a file. It is set for a process that builds in a clean room.
const RoomVariable = "THIMBLE_ROOM"

// applyEnvironment applies the THIMBLE_ variables.
func (s *Session) applyEnvironment() error {
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "THIMBLE_") || value == "" {
			continue
		}
		switch name {
		case "THIMBLE_REPOSITORY":
			s.Config.Repository = value
		case "THIMBLE_PLATFORMS":
			s.Config.Platforms = strings.Split(value, ",")
		case "THIMBLE_COMPRESSION":
			s.Config.Compression = plan.Compression(value)
			if s.Config.Compression != plan.Gzip && s.Config.Compression != plan.Zstd {
				return fmt.Errorf("THIMBLE_COMPRESSION %q is not known; use gzip or zstd", value)
			}
		case "THIMBLE_BASE":
			s.Config.Images = slices.Clone(s.Config.Images)
			for i := range s.Config.Images {
				s.Config.Images[i].Base = ""
			}
			s.Config.Defaults.Base = value
		case "THIMBLE_DEBIAN_MIRROR":
			s.Config.Debian.Mirror = value
		case "THIMBLE_KEY":
			s.Config.Release.Key = value
		case "THIMBLE_MODULE_ENV":
			s.Config.ModuleEnv = strings.Split(value, ",")
		case "THIMBLE_OFFLINE":
			off, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("THIMBLE_OFFLINE %q is not known; use true or false", value)
			}
			s.Offline = s.Offline || off
		case "THIMBLE_REQUIRE", RoomVariable: // for thimble's tests, and for its child processes
		default:
			s.Notices = append(s.Notices, name+" is not a setting of thimble")
		}
	}
	return nil
}

// hideSecrets removes the secrets from Env.
func (s *Session) hideSecrets() {
	var key []string
	if name, ok := strings.CutPrefix(s.Config.Release.Key, "env://"); ok {
		key = append(key, name)
	}
	s.Env, s.Secrets = secret.Split(s.Env, key...)
}
