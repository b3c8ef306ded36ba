package copying

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/entrypoint"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
)

// fromImage copies a source of another image.
func (c *imageCopy) fromImage(source string) {
	p := path.Clean("/" + source)
	if rootfs.AddedByThimble(p) {
		c.copySystem(p)
		return
	}
	if at := c.repo.MainNamed(p); at >= 0 && strings.Contains(c.image, c.repo.Mains[at].Binary) {
		c.putProgram(at, nil, c.into(source))
		return
	}
	c.putOther(c.into(source))
	if slices.Contains(entrypoint.Wrappers, path.Base(p)) {
		c.systems++
		return
	}
	if slices.Contains([]string{"sh", "busybox", "curl", "wget", "grpc_health_probe", "grpc-health-probe"},
		path.Base(p)) {
		c.problem(p+" is from the image "+c.image+"; the program does not need it to run",
			"for a health check, give the program a command of its own, or let Kubernetes probe it")
		return
	}
	c.problem(p+" is from the image "+c.image,
		"if the program needs it: Base: "+strconv.Quote(c.image)+
			", or commit the file and copy it with Assets")
}

// fromURL handles ADD of a URL.
func (c *imageCopy) fromURL(source string) {
	if rootfs.AddedByThimble(path.Clean("/"+path.Base(source))) || strings.Contains(source, "cacert.pem") ||
		strings.Contains(source, "zoneinfo.zip") {
		c.systems++
		return
	}
	if slices.ContainsFunc(entrypoint.Wrappers,
		func(w string) bool { return strings.Contains(path.Base(source), w) }) {
		c.putOther(c.into(source))
		c.systems++
		return
	}
	c.problem("it downloads "+source,
		"commit the file, and copy it: "+asset(path.Base(source), c.into(source)))
}
