//go:build mage

// Package main is the magefile of the tests: Config comes from thimble.json, so
// that it is compiled once for all of them.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	//mage:import
	"github.com/thimble-build/thimble/build/targets"
)

func init() {
	b, err := os.ReadFile("thimble.json")
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(b, &targets.Config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "thimble.json:", err)
		os.Exit(3)
	}
}
