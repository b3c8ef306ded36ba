// Package main builds sample-service with thimble, as any repository would.
package main

import (
	"github.com/thimble-build/thimble/build"
	//mage:import
	"github.com/thimble-build/thimble/build/targets"
	//mage:import
	_ "github.com/thimble-build/thimble/magefiles/bench"
)

func init() {
	targets.Config = build.Config{
		Dir: "sample-service",
		Defaults: build.ImageConfig{
			Runtime: build.Runtime{
				Args:        []string{"serve"},
				Ports:       []string{"8080"},
				Healthcheck: &build.Healthcheck{Command: []string{"healthcheck"}},
			},
		},
	}
}
