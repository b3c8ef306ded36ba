package targets

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/report"
)

// sbom lists the components of the images in dist, or prints one document.
func sbom(ctx context.Context, o build.Options, format, platform string) error {
	documents, err := build.SBOMs(ctx, o)
	if err != nil {
		return err
	}
	found := false
	for _, d := range documents {
		if platform != "" && d.Platform.String() != platform {
			continue
		}
		found = true
		switch format {
		case "":
			if err := components(d); err != nil {
				return err
			}
		case "spdx", "cyclonedx":
			text := d.SPDX
			if format == "cyclonedx" {
				text = d.CycloneDX
			}
			if _, err := os.Stdout.Write(text); err != nil {
				return err
			}
		default:
			return fmt.Errorf("format %q is not known; use spdx or cyclonedx", format)
		}
	}
	if !found {
		return fmt.Errorf("dist has no image for %s; make it with \"mage image -platform=%s\"", platform,
			platform)
	}
	return nil
}

func components(d report.Document) error {
	plaintext.Fprintf(os.Stdout, "%s %s\n", d.Image, d.Platform)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range d.Components {
		license := c.License
		if license == "" {
			license = "unknown"
		}
		plaintext.Fprintf(w, "  %s\t%s\t%s\n", c.Name, c.Version, license)
	}
	fmt.Fprintln(w)
	return w.Flush()
}
