package packages

import (
	"fmt"
	"strings"
	"testing"
)

func TestInstalled(t *testing.T) {
	for command, want := range map[string]string{
		"apk add --no-cache -t build gcc musl-dev":         "[gcc musl-dev] true",
		"apt-get install -y --no-install-recommends git=1": "[git=1] true",
		"apt-get update": "[] true",
		"apt-get -o Acquire::Retries=3 install git": "[git] true",
		"npm install left-pad":                      "[] false",
		"":                                          "[] false",
	} {
		names, is := Installed(strings.Fields(command))
		if got := fmt.Sprint(names, is); got != want {
			t.Errorf("%s: it is %s, want %s", command, got, want)
		}
	}
}

func TestTranslate(t *testing.T) {
	names := []string{"ca-certificates", "git=2.0", "tzdata", "openssh", "sqlite-libs", "$EXTRA", ".build"}
	for _, c := range []struct {
		cgo  bool
		want string
	}{
		{false, "{[git openssh-client] [$EXTRA] [ca-certificates, tzdata: thimble adds it if the binary needs it " +
			"sqlite-libs: the binary is static]}"},
		{true, "{[git openssh-client libsqlite3-0] [$EXTRA] " +
			"[ca-certificates, tzdata: thimble adds it if the binary needs it]}"},
	} {
		if got := fmt.Sprint(Translate(names, c.cgo)); got != c.want {
			t.Errorf("with cgo %t it is %s, want %s", c.cgo, got, c.want)
		}
	}
	if !Compiler([]string{"git", "gcc:amd64"}) || Compiler([]string{"git"}) {
		t.Error("Compiler does not find gcc, or finds it in git")
	}
}
