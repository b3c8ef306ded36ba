package copying

import (
	"strconv"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
)

// imageCopy is a COPY or an ADD into an image, with what its sources became.
type imageCopy struct {
	transfer
	assets, programs, systems int
	program                   string // the name of the last program
	problems, writes          []string
	generated                 bool
}

// problem says that a source needs work by hand, and what to write.
func (c *imageCopy) problem(reason, write string) {
	c.problems = outcome.AddReason(c.problems, reason)
	if write != "" {
		c.writes = append(c.writes, write)
	}
}

// asset returns an asset as Go has it.
func asset(source, target string) string {
	return "{Source: " + strconv.Quote(source) + ", Target: " + strconv.Quote(target) + "}"
}

// put adds an entry of the image.
func (c *imageCopy) put(e rootfs.Entry) {
	e.Line = c.line
	c.st.FS.Put(e)
}

// putProgram adds a program of the repository.
func (c *imageCopy) putProgram(main int, caps []string, target string) {
	e := c.entry(rootfs.Program, target)
	e.Main, e.Caps = main, caps
	c.put(e)
	c.programs++
	c.program = c.repo.Program(main)
}

// putOther adds what is no file of the repository.
func (c *imageCopy) putOther(target string) { c.put(c.entry(rootfs.Other, target)) }
