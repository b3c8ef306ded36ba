package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
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
		fmt.Fprintf(stderr, "usage: go run %s/build/init@latest [flags]\n\nIt sets up the module in this folder, in a folder above it, or the only one below it.\n\n", kitPath)
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.dry, "n", false, "only show what would be written")
	flags.StringVar(&o.ci, "ci", "", "write a workflow for a CI system as well: github or gitlab")
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
	version, err := kitVersion()
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
	kit, err := fetchKit(ctx, version)
	if err != nil {
		return err
	}
	p, err := plan(ctx, o, repo, kit)
	if err != nil {
		return err
	}
	if err := p.show(out, o.dry); err != nil {
		return err
	}
	if !o.dry {
		if err := write(p.repo.root, p.files); err != nil {
			return err
		}
	}
	return p.end(out, o.dry)
}

// kitVersion returns the version of this program, which the targets also use.
func kitVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != kitPath || info.Main.Sum == "" {
		return "", fmt.Errorf("find thimble's version: this init was built from a checkout and has no published version; "+
			"run it as go run %s/build/init@latest", kitPath)
	}
	return info.Main.Version, nil
}
