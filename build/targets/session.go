package targets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/magefile/mage/mg"
	"golang.org/x/term"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/progress"
)

// session is one call of a target.
type session struct {
	options  build.Options
	summary  func(*build.Result) ([]byte, error) // nil outside of CI
	progress *progress.Reporter
	json     bool
	err      error
}

// run calls a target's work with a context that ends on SIGTERM, on a hangup, and when the
// parent mage or go command ends. (Mage ends the context on SIGINT.) Many targets have the flag
// json, all have noNetwork. If the work needs code that signs or verifies, the target c runs again
// in a program that has it.
func run(ctx context.Context, c call, json, noNetwork *bool,
	work func(context.Context, *session) error) error {
	raise, restore := limitHeap(os.Getenv)
	defer restore()

	fromMage := ctx
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(fromMage, func() { cancel(endedByMage(fromMage)) })()
	ctx, release := process.WithLauncher(ctx)
	defer release()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		select {
		case sig := <-signals:
			cancel(stopped{sig})
		case <-ctx.Done():
		}
	}()

	s := &session{json: json != nil && *json, progress: progress.New(os.Stderr, os.Getenv)}
	s.progress.Elsewhere = build.ErrNotLinked
	s.options = build.Options{Config: Config, Env: Environ(), Progress: s.progress, Password: password,
		Offline: is(noNetwork), Heap: raise}
	if on, err := strconv.ParseBool(os.Getenv("THIMBLE_OFFLINE")); s.options.Offline || err == nil && on {
		offline.Process()
	}
	if inCI(os.Getenv) {
		s.summary = markdown
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		s.options.Login = s.progress.Notice
	}
	err := work(ctx, s)
	if errors.Is(err, build.ErrNotLinked) && c.target != "" {
		return s.again(ctx, c)
	}
	s.progress.Close()
	if sig := (stopped{}); errors.As(err, &sig) {
		if number, ok := sig.Signal.(syscall.Signal); ok &&
			number != syscall.SIGINT { // mage exits with 1 after SIGINT
			return mg.Fatal(128+int(number), "thimble: ", plaintext.Error(err))
		}
	}
	if err != nil {
		return plaintext.Error(fmt.Errorf("thimble: %w", err))
	}
	return nil
}

// stopped is the cause of a context that a signal ended.
type stopped struct{ os.Signal }

func (s stopped) Error() string { return "stopped: " + s.Signal.String() }

// endedByMage returns why mage ended a context: SIGINT, or the time of its flag -t is up.
func endedByMage(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return stopped{os.Interrupt}
	}
	return context.Cause(ctx)
}

// choose reads the flag platform.
func (s *session) choose(platform *string) {
	if platform != nil {
		s.options.Platforms = strings.Split(*platform, ",")
	}
}

// result prints what a run made.
func (s *session) result(r *build.Result, err error) {
	if err != nil {
		s.err = err
		return
	}
	s.progress.Close()
	if s.err = jobSummary(os.Getenv, r); s.err != nil {
		return
	}
	if s.json {
		var b []byte
		if b, s.err = r.Manifest.JSON(); s.err == nil {
			_, s.err = os.Stdout.Write(b)
		}
		return
	}
	s.err = summarize(os.Stdout, r)
}
