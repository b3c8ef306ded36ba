package command

import (
	"github.com/spf13/cobra"

	"github.com/thimble-build/thimble/sample-service/internal/service"
	"github.com/thimble-build/thimble/sample-service/internal/telemetry"
)

func serve() *cobra.Command {
	var cfg service.Config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve HTTP until SIGTERM",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := telemetry.NewLogger(cmd.ErrOrStderr(), cfg.LogLevel)
			s, err := service.New(cmd.Context(), cfg, log)
			if err != nil {
				return err
			}
			return s.Run(cmd.Context())
		},
	}
	cfg.Bind(cmd.Flags())
	return cmd
}
