package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/thimble-build/thimble/build/init/kitmodule"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	if err := setUp(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "init:", shown(err))
		stop()
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("init", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr,
			"usage: go run %s/build/init@latest [flags]\n\nIt sets up the module in this folder, in a "+
				"folder above it, or the only one below it.\n\n", kitmodule.Path)
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.dry, "n", false, "only show what would be written")
	flags.StringVar(&o.ci, "ci", "", "write a workflow for a CI system as well: github or gitlab")
	flags.BoolVar(&o.json, "json", false, "print what was found and what is written as JSON")
	flags.BoolVar(&o.task, "task", false, "write a Taskfile as well")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintln(stderr, err)
	}
	if err == nil && o.ci != "" && o.ci != "github" && o.ci != "gitlab" {
		err = fmt.Errorf("-ci=%s is not known; it is github or gitlab", o.ci)
		fmt.Fprintln(stderr, err)
	}
	return o, err
}

// setUp runs all steps: look, plan, show, write, and print the next command.
func setUp(ctx context.Context, o options, out io.Writer) error {
	version, checkout, err := kitVersion()
	if err != nil {
		return err
	}
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	repo, err := look(ctx, wd)
	if err != nil {
		return err
	}
	kit, err := kitmodule.Fetch(ctx, version, checkout)
	if err != nil {
		return err
	}
	p, err := plan(ctx, o, repo, kit)
	if err != nil {
		return err
	}
	show := func() error { return p.show(out, o.dry) }
	if o.json {
		show = func() error { return p.showJSON(out) }
	}
	if err := show(); err != nil {
		return err
	}
	if !o.dry {
		if err := write(p.repo.root, p.files); err != nil {
			return err
		}
	}
	if o.json && len(p.missing) > 0 {
		return advice(strings.Join(p.missing, "\n"))
	}
	if o.json {
		return nil
	}
	return p.end(out, o.dry)
}

// kitVersion returns the version of this program, which the targets also use. If it was built from
// a checkout, it returns the checkout's folder.
func kitVersion() (version, checkout string, err error) {
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Path == kitmodule.Path && info.Main.Sum != "" {
		return info.Main.Version, "", nil
	}
	_, file, _, ok := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "..", "..") // from build/init
	if !ok || !filepath.IsAbs(file) || !exists(filepath.Join(dir, "build", "targets")) {
		return "", "", fmt.Errorf(
			"find thimble's version: this init was built from a checkout that is not there; "+
				"run it as go run %s/build/init@latest, or as go run ./build/init in a checkout",
			kitmodule.Path)
	}
	return unpublished, dir, nil
}

// unpublished is the version of a kit in a checkout. magefiles/go.mod replaces it with the folder.
const unpublished = "v0.0.0-00010101000000-000000000000"
