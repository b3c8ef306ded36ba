package command

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/thimble-build/thimble/sample-service/internal/buildinfo"
)

func version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from, as JSON",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(buildinfo.Read())
		},
	}
}
