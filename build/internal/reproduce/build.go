package reproduce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/sandbox"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Built is the result of a build in a clean room.
type Built struct {
	// Generated are the files and folders that no commit has, relative to the repository's
	// root, without those of the output folder.
	Generated []string
	// Differs lists what differed from the first build's environment, for a reader.
	Differs []string
}

// Build builds the clone with only what Fetch or FetchPlanned downloaded. self is a program,
// with its arguments, that calls Enter. mechanisms are those of the sandbox to build in.
func (r *Room) Build(ctx context.Context, s *session.Session, g *gocmd.Go, self []string,
	mechanisms []sandbox.Mechanism) (Built, error) {
	var built Built
	err := s.Stage("build in the clean room", func() (string, error) {
		memory, err := s.MemoryLimit()
		if err != nil {
			return "", err
		}
		dir := r.source.workdir(r.tree())
		env, differs := r.environment(s, g)
		args, more := r.vary(self)
		built.Differs = append(differs, more...)
		c := command{self: self, args: args, env: env, dir: dir, mechanisms: mechanisms}
		if len(mechanisms) > 0 {
			c.rules = r.rules(s, g, self)
		}
		return "", childError("build in the clean room", r.run(ctx, c, message{
			Job: Job{
				Config: r.source.Config, Workdir: dir, Cache: r.cacheFolder(), Platforms: r.source.Platforms,
				Offline:  s.Offline,
				FromPlan: r.source.stranger(), Memory: memory,
			},
			Result: r.resultFile(),
		}))
	})
	if err != nil {
		return built, err
	}
	if r.source.stranger() {
		if err := plainFiles(r.layout, r.source); err != nil {
			return built, err
		}
	}
	built.Generated, err = r.generated()
	return built, err
}

// Output opens the output folder of the build. No link leads out of the room.
func (r *Room) Output() (*distfolder.Folder, error) {
	dist, err := filepath.Rel(r.dir, r.source.dist(r.tree()))
	if err != nil {
		return nil, err
	}
	return distfolder.Open(r.dir, dist)
}

// maxResult limits the list of the files that the build generated, in bytes.
const maxResult = 4 << 20

// generated reads which files the build generated. It does not use git in the clone, because
// the build is foreign code and could have changed the clone.
func (r *Room) generated() ([]string, error) {
	fail := func(err error) ([]string, error) {
		return nil,
			fmt.Errorf("read what the build generated: %w", err)
	}
	room, err := distfolder.Open(r.dir, ".")
	if err != nil {
		return fail(err)
	}
	b, err := room.Read(filepath.Base(r.resultFile()), maxResult)
	if err = errors.Join(err, room.Close()); err != nil {
		return fail(err)
	}
	var found result
	if err := json.Unmarshal(b, &found); err != nil {
		return fail(err)
	}
	var names []string
	for _, name := range found.Unclean {
		name = strings.TrimSuffix(name, "/")
		if dist := r.source.distName(); name != dist && !strings.HasPrefix(name, dist+"/") {
			names = append(names, name)
		}
	}
	return names, nil
}
