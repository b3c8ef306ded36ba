package stamp

import "testing"

func TestCommand(t *testing.T) {
	repo := Repository{Module: "example.com/acme/app", Read: func(name string) (string, bool) {
		files := map[string]string{"VERSION": "1.2.3\n", "version.txt": "v1.2.3", "NAME": "app\n", "two": "a\nb\n"}
		text, ok := files[name]
		return text, ok
	}}
	for _, test := range []struct{ script, want string }{
		{"git describe --tags --always --dirty", "{{.Tag}}"},
		{"git describe --tags 2>/dev/null || echo dev", "{{.Tag}}"},
		{"git describe --tags | sed 's/^v//'", "{{.Version}}"},
		{"git describe --abbrev=0 | cut -c2-", "{{.Version}}"},
		{"git describe --tags | tr -d v", "{{.Version}}"},
		{"git -C .. describe", "{{.Tag}}"},
		{"git describe --match=NeVeR --always --abbrev=40 --exclude=*", "{{.ShortCommit}}"},
		{"cd .. && git describe --tags", "{{.Tag}}"},
		{"git rev-parse HEAD", "{{.Commit}}"},
		{"git rev-parse --short=8 HEAD 2>/dev/null", "{{.ShortCommit}}"},
		{"git rev-parse --verify HEAD | cut -c1-7", "{{.ShortCommit}}"},
		{"git rev-list -1 HEAD", "{{.Commit}}"},
		{"git log -1 --format=%H", "{{.Commit}}"},
		{"git log -1 --pretty=format:%h", "{{.ShortCommit}}"},
		{"git log -1 --pretty='%ct'", "{{.CommitTimestamp}}"},
		{"git show -s --format=%cI HEAD", "{{.CommitDate}}"},
		{"date -u +%Y-%m-%dT%H:%M:%SZ", "{{.Date}}"},
		{`date -u -d "@$(git log -1 --pretty=%ct)" "+%F" 2>/dev/null || date`, "{{.Date}}"},
		{"date +%s", "{{.Timestamp}}"},
		{"go list -m", "example.com/acme/app"},
		{"go list ./internal/version", "example.com/acme/app/internal/version"},
		{`go list -m | awk "/app/ {print $0}"`, "example.com/acme/app"},
		{"cat VERSION", "{{.Version}}"},
		{"cat version.txt", "{{.Tag}}"},
		{"cat NAME", "app"},
		{"echo production", "production"},

		// the value differs from machine to machine, or is not known
		{"git rev-parse --abbrev-ref HEAD", ""},
		{"git branch --show-current", ""},
		{"git status --porcelain", ""},
		{"hostname", ""},
		{"whoami", ""},
		{"go version", ""},
		{"cat missing", ""},
		{"cat two", ""},
		{"./scripts/version.sh", ""},
		{"echo $USER", ""},
		{"git describe | sha256sum", ""},
		{"git describe | sed 's/-/./g'", ""},
		{"'", ""},
		{"", ""},
	} {
		got, ok := Command(test.script, repo)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, %v, want %q", test.script, got, ok, test.want)
		}
	}
}

func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"VERSION": "{{.Version}}", "APP_VERSION": "{{.Version}}", "LITESTREAM_VERSION": "{{.Version}}", "Version": "{{.Version}}",
		"COMMIT": "{{.Commit}}", "GIT_COMMIT": "{{.Commit}}", "REVISION": "{{.Commit}}", "GIT_SHA": "{{.Commit}}", "SHA": "{{.Commit}}", "VCS_REF": "{{.Commit}}",
		"GitCommit": "{{.Commit}}", "SHORT_COMMIT": "{{.ShortCommit}}",
		"DATE": "{{.Date}}", "BUILD_DATE": "{{.Date}}", "BUILD_TIME": "{{.Date}}", "COMMIT_DATE": "{{.CommitDate}}", "TAG": "{{.Tag}}",
		"GO_VERSION": "", "ALPINE_VERSION": "", "BRANCH": "", "TARGETARCH": "", "USER": "", "NAME": "", "GIT_TREESTATE": "",
	} {
		if got, ok := Name(name); got != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTemplates(t *testing.T) {
	env := map[string]string{"FLAGS": "-X main.a=b"}
	for _, test := range []struct{ got, want string }{
		{GoReleaser("-X main.version={{.Version}} -X main.commit={{ .FullCommit }}", "", nil), "-X main.version={{.Version}} -X main.commit={{.Commit}}"},
		{GoReleaser("{{ .ProjectName }}_{{- .ShortCommit -}}", "app", nil), "app_{{.ShortCommit}}"},
		{GoReleaser("{{ trimprefix .Tag \"v\" }}", "", nil), "{{.Version}}"},
		{GoReleaser("{{ .Env.FLAGS }} {{ .Env.GIT_SHA }}", "", env), "-X main.a=b {{.Commit}}"},
		{GoReleaser(`{{ .Now.Format "2006" }}`, "", nil), "{{.Date}}"},
		{Show(GoReleaser("{{ .Branch }}-{{ .Env.USER }}", "", nil)), "{{ .Branch }}-{{ .Env.USER }}"},
		{Ko("{{.Git.Tag}} {{.Git.ShortCommit}} {{.Env.FLAGS}}", env), "{{.Tag}} {{.ShortCommit}} -X main.a=b"},
		{Show(Ko("{{.Git.Branch}}", nil)), "{{.Git.Branch}}"},
		{Promu(`{{.Version}} {{.Revision}} {{date "20060102-15:04:05"}}`), "{{.Version}} {{.Commit}} {{.Date}}"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
	for _, text := range []string{GoReleaser("{{ .Branch }}", "", nil), Ko("{{.GoEnv.X}}", nil), Promu("{{user}}@{{host}}")} {
		if Known(text) {
			t.Errorf("%q has a translation", Show(text))
		}
	}
}

func TestUnknownSurvives(t *testing.T) {
	text := "-X main.host=" + Unknown("$(hostname -f)") + " -s"
	if Known(text) || Show(text) != "-X main.host=$(hostname -f) -s" || len(Parts(text)) != 1 || Parts(text)[0] != "$(hostname -f)" {
		t.Errorf("%q, parts %q", Show(text), Parts(text))
	}
	if nested := Unknown("a " + Unknown("$(b c)")); Show(nested) != "a $(b c)" {
		t.Errorf("nested: %q", Show(nested))
	}
}

func TestValue(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"VERSION", "dev", "{{.Version}}"}, {"TAG", "[no-tag]", "{{.Tag}}"}, {"SHA1", "no-sha", "no-sha"}, {"GIT_SHA", "no-sha", "{{.Commit}}"},
		{"VERSION", "", "{{.Version}}"}, {"VERSION", "1.2.3", "1.2.3"}, {"MODE", "dev", "dev"}, {"GO_VERSION", "latest", "latest"},
	} {
		if got := Value(test.name, test.value); got != test.want {
			t.Errorf("%s=%s: %q, want %q", test.name, test.value, got, test.want)
		}
	}
	if got := Value("FLAGS", ""); Known(got) || Show(got) != "${FLAGS}" {
		t.Errorf("an unset variable: %q", got)
	}
}
