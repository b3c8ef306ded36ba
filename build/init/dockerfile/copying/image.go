package copying

import (
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
)

// follow copies into a stage that is an image.
func (c *imageCopy) follow() {
	for range c.contents {
		c.problem("a file that stands in the Dockerfile",
			"commit it as a file, and copy it with Assets: "+asset(path.Base(c.into("file")), c.into("file")))
	}
	for _, source := range c.sources {
		switch {
		case c.add && (strings.Contains(source, "://") || strings.HasPrefix(source, "git@")):
			c.fromURL(source)
		case c.from != nil:
			c.fromStage(source)
		case c.image == "":
			c.fromContext(source)
		default:
			c.fromImage(source)
		}
	}
	if c.unclear != "" && c.assets > 0 {
		c.problem(c.unclear+" is not a number and not a user of the Dockerfile",
			"set UID, GID and Mode of the asset")
	}
	switch {
	case len(c.problems) > 0:
		outcome.ByHand(c.line, "Assets", strings.Join(c.problems, "; "), strings.Join(c.writes, "; "))
	case c.assets > 0 && c.generated:
		c.line.Reason = "Assets, and Before, which makes them"
	case c.assets > 0:
	case c.programs > 0:
		outcome.NotNeeded(c.line, "thimble compiles it: /app/"+c.program)
	case c.systems > 0:
		outcome.NotNeeded(c.line, "thimble adds it if the binary needs it")
	default:
		outcome.NotNeeded(c.line, "it copies nothing that git has")
	}
}
