// Package command is the command line: serve, healthcheck and version.
package command

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envPrefix begins the name of every environment variable that sets a flag.
const envPrefix = "SAMPLE_"

// New returns the root command. Without a subcommand it serves, so that an
// image needs no arguments.
func New(stdout, stderr io.Writer) *cobra.Command {
	root := serve()
	root.Use = "sample-service"
	root.Long = "A small HTTP service. Every flag can also be set through the environment:\n" +
		"--fetch-timeout is " + envName("fetch-timeout") + ". A flag wins over its variable."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return setFromEnv(cmd.Flags(), os.LookupEnv)
	}
	root.AddCommand(serve(), healthcheck(), version())
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setFromEnv sets the flags that the command line did not.
func setFromEnv(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		value, ok := lookup(envName(f.Name))
		if err != nil || !ok || f.Changed || f.Name == "help" {
			return
		}
		if set := flags.Set(f.Name, value); set != nil {
			err = fmt.Errorf("environment variable %s: %w", envName(f.Name), set)
		}
	})
	return err
}
