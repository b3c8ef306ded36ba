package reproduce

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/sandbox"
	"github.com/thimble-build/thimble/build/internal/session"
)

// command starts a program of this clean room. self is this program, args is executed in dir,
// with an environment. mechanisms are those of the sandbox; none is no sandbox.
type command struct {
	self, args, env []string
	dir             string
	rules           sandbox.Rules
	mechanisms      []sandbox.Mechanism
}

// run passes a message to a program. In a sandbox, this program starts itself in new
// namespaces, enters the rest of the sandbox, and executes the program.
func (r *Room) run(ctx context.Context, c command, m message) error {
	file, args, prefix := r.below("job.json"), c.args, ""
	if len(c.mechanisms) > 0 {
		args, prefix = c.self, confining
		m.Sandbox = confinement{Self: c.self, Args: c.args, Dir: c.dir, Rules: c.rules,
			Mechanisms: c.mechanisms}
	}
	if err := writeJSON(file, m); err != nil {
		return err
	}
	return process.Run(ctx, process.Command{Args: args, Dir: c.dir,
		Env: append(slices.Clone(c.env), session.RoomVariable+"="+prefix+file)})
}

// start starts the process that enters the sandbox and works on a message there. Its errors are
// the child's text.
func (c confinement) start(ctx context.Context, message string) error {
	file := filepath.Join(filepath.Dir(message), "enter.json")
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e,
			session.RoomVariable+"=")
	})
	err := process.Run(ctx, process.Command{
		Args: c.Self, Dir: c.Dir, Env: append(env, session.RoomVariable+"="+entering+file),
		Prepare: func(cmd *exec.Cmd) (func(), error) {
			entry, release, err := sandbox.Command(cmd, c.Rules, c.Mechanisms)
			if err == nil {
				err = writeJSON(file, entrance{Message: message, Args: c.Args, Entry: entry})
			}
			if err != nil {
				release()
				return nil, err
			}
			return release, nil
		},
	})
	if failed := new(process.Error); errors.As(err, &failed) && failed.Stderr != "" {
		return errors.New(said(failed))
	} else if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// rules returns what a build may read and write.
func (r *Room) rules(s *session.Session, g *gocmd.Go, self []string) sandbox.Rules {
	rules := sandbox.System()
	rules.Write = append(rules.Write, r.dir)
	rules.Read = append(rules.Read, g.Root, filepath.Join(g.Setting("GOMODCACHE"), "cache", "download"))
	programs := []string{"go", "git", "sh", self[0]}
	for _, e := range g.CEnvironment() {
		_, command, _ := strings.Cut(e, "=")
		programs = append(programs, strings.Fields(command + " -")[0])
	}
	for _, command := range r.source.Config.CC {
		programs = append(programs, strings.Fields(command + " -")[0])
	}
	for _, program := range programs {
		file, err := gocmd.LookPath(program, s.Env)
		if err != nil {
			continue
		}
		rules.Read = append(rules.Read, file)
		// The go command of PATH, which may run another toolchain, is in a separate GOROOT.
		if real, err := filepath.EvalSymlinks(file); err == nil && program == "go" &&
			filepath.Base(filepath.Dir(real)) == "bin" {
			if root := filepath.Dir(filepath.Dir(real)); isFolder(filepath.Join(root, "pkg", "tool")) {
				rules.Read = append(rules.Read, root)
			}
		}
	}
	for _, setting := range r.changes.Env {
		if dir, ok := strings.CutPrefix(setting, "GOCACHE="); ok {
			rules.Write = append(rules.Write, dir)
		}
	}
	return rules
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
