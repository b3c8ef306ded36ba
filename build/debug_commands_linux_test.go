package build_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// kubectl has the options of kubectl's commands that we print, as its reference lists them
// (kubernetes.io/docs/reference/kubectl/generated). --custom came with kubectl 1.31.
var kubectl = map[string]string{
	"debug": "-c --container --copy-to --custom --env --image -i --stdin --profile --replace --same-node --set-image " +
		"--share-processes --target -t --tty",
	"port-forward": "--address --pod-running-timeout",
}

// checkCommands wants every option in the printed commands to be one that the program has.
func checkCommands(t *testing.T, dlv string, r *build.Result) {
	t.Helper()
	if len(r.Instructions) == 0 {
		t.Error("no command is printed")
	}
	help := func(program, command string) string {
		switch program {
		case "docker":
			return docker(t, command, "--help")
		case "dlv":
			out, err := testtool.Command(t, dlv, "help", command).CombinedOutput()
			if err != nil {
				t.Fatalf("dlv help %s: %v\n%s", command, err, out)
			}
			return string(out)
		}
		return kubectl[command]
	}
	for _, i := range r.Instructions {
		// What a container runs follows its image's reference, or "--".
		words, within, _ := strings.Cut(i.Command, " dlv ")
		checkOptions(t, i.Command, strings.Fields(words), help)
		if within != "" {
			checkOptions(t, i.Command, append([]string{"dlv"}, strings.Fields(within)...), help)
		}
	}
}

func checkOptions(t *testing.T, whole string, words []string, help func(program, command string) string) {
	t.Helper()
	text := help(words[0], words[1])
	if text == "" {
		t.Errorf("%s: nothing is known of %s %s", whole, words[0], words[1])
	}
	for _, w := range words[2:] {
		name, _, _ := strings.Cut(w, "=")
		if !strings.HasPrefix(name, "-") || name == "--" {
			continue
		}
		names := []string{name}
		if !strings.HasPrefix(name, "--") {
			names = strings.Split(name[1:], "")
			for i := range names {
				names[i] = "-" + names[i]
			}
		}
		for _, n := range names {
			if !regexp.MustCompile(`(?:^|[\s,])` + n + `(?:[\s,=]|$)`).MatchString(text) {
				t.Errorf("%s: %s %s has no option %s", whole, words[0], words[1], n)
			}
		}
	}
	if words[0] == "kubectl" && slices.Contains(words, "--target=CONTAINER") && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "--copy-to") }) {
		t.Errorf("%s: kubectl refuses --target with --copy-to", whole)
	}
}
