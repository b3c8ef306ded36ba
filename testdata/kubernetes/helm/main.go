// Command helm writes the manifests of a chart, in the order of their names, as helm template does.
package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func main() {
	c, err := loader.Load(os.Args[1])
	if err == nil {
		err = write(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(c *chart.Chart) error {
	values, err := chartutil.ToRenderValues(c, nil, chartutil.ReleaseOptions{Name: "shop", Namespace: "default", IsInstall: true}, nil)
	if err != nil {
		return err
	}
	files, err := engine.Render(c, values)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Base(name)[0] != '_' {
			fmt.Printf("---\n# Source: %s\n%s\n", name, files[name])
		}
	}
	return nil
}
