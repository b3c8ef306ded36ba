package build

import (
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/sandbox"
)

// ReachRegistry sets what changes how registries are reached: how long a test waits.
func ReachRegistry(o *Options, change func(*distribution.Options)) { o.reachRegistry = change }

// SetRoom sets variables over the environment of clean rooms, as tests that need no
// empty build cache do.
func SetRoom(o *Options, settings ...string) { o.cleanRoom.Env = settings }

// RefuseSandbox lets this machine refuse mechanisms.
func RefuseSandbox(o *Options, mechanisms ...sandbox.Mechanism) { o.cleanRoom.Refuse = mechanisms }
