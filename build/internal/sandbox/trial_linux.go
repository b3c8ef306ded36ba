package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Trial has the operations that a child tries under one mechanism; all must fail.
type Trial struct {
	Mechanism Mechanism
	// File is a file outside of the rules, also its folder.
	File string
	// Address is that of a server on this machine.
	Address string
	// Namespaces are the parent's, by their names in /proc/self/ns.
	Namespaces map[string]string

	server net.Listener
}

var namespaces = map[Mechanism]string{Network: "net", Processes: "pid", IPC: "ipc"}

// NewTrial returns a Trial, with a file in a folder that the rules do not include.
func NewTrial(dir string, m Mechanism) (*Trial, error) {
	t := &Trial{Mechanism: m, File: filepath.Join(dir, "secret"), Namespaces: map[string]string{}}
	var err error
	for _, name := range namespaces {
		if t.Namespaces[name], err = os.Readlink("/proc/self/ns/" + name); err != nil {
			return nil, fmt.Errorf("probe the sandbox: %w", err)
		}
	}
	if err := os.WriteFile(t.File, []byte("secret"), 0o600); err != nil {
		return nil, fmt.Errorf("probe the sandbox: %w", err)
	}
	if m == Network {
		var config net.ListenConfig
		if t.server, err = config.Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("probe the sandbox: %w", err)
		}
		t.Address = t.server.Addr().String()
	}
	return t, nil
}

// Close ends the server.
func (t *Trial) Close() error {
	if t.server == nil {
		return nil
	}
	return t.server.Close()
}

// Run tries the operations that the mechanism forbids. It returns nil if all of them failed.
func (t *Trial) Run() error {
	switch t.Mechanism {
	case Files:
		return t.files()
	case Calls:
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err == nil {
			return errors.Join(errors.New("a socket was opened in it"), unix.Close(fd))
		}
		return nil
	}
	name := namespaces[t.Mechanism]
	own, err := os.Readlink("/proc/self/ns/" + name)
	if err != nil {
		return fmt.Errorf("read the child's namespace: %w", err)
	}
	if own == t.Namespaces[name] {
		return errors.New("the child is in the namespace of its parent")
	}
	if t.Mechanism == Network {
		conn, err := net.DialTimeout("tcp", t.Address, 5*time.Second)
		if err == nil {
			return errors.Join(errors.New("a server on this machine was reached from it"), conn.Close())
		}
	}
	return nil
}

func (t *Trial) files() error {
	if _, err := os.ReadFile(t.File); err == nil {
		return errors.New("a file was read in it")
	}
	if _, err := os.ReadDir(filepath.Dir(t.File)); err == nil {
		return errors.New("a folder was read in it")
	}
	if err := os.Truncate(t.File, 0); err == nil {
		return errors.New("a file was truncated in it")
	}
	if err := os.WriteFile(t.File+".new", nil, 0o600); err == nil {
		return errors.New("a file was written in it")
	}
	return nil
}
