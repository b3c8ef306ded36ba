// Command strict reads what thimble writes as Kubernetes and Docker Compose do, and refuses every
// field that they do not know. It also writes JSON schemas of the types of k8s.io/api.
//
//	strict kubernetes [-level=restricted] FILE…
//	strict compose FILE…
//	strict schemas FOLDER
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/invopop/jsonschema"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(command string, args []string) error {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	level := flags.String("level", "privileged", "the level of the Pod Security Standards to require")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if command == "schemas" {
		return schemas(flags.Arg(0))
	}
	for _, file := range flags.Args() {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		switch command {
		case "kubernetes":
			err = kubernetes(b, api.Level(*level))
		case "compose":
			err = compose(file, b)
		default:
			err = errors.New("unknown command")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// kubernetes decodes every document strictly, and checks pods against a level.
func kubernetes(b []byte, level api.Level) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b)))
	read := 0
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var head struct{ APIVersion, Kind string }
		if err := sigsyaml.Unmarshal(document, &head); err != nil {
			return err
		}
		switch head.APIVersion + " " + head.Kind {
		case "apps/v1 Deployment":
			var d appsv1.Deployment
			if err := decode(document, &d); err != nil {
				return err
			}
			if err := admitted(d.Spec.Template, level); err != nil {
				return err
			}
		case "v1 Service":
			var s corev1.Service
			if err := decode(document, &s); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s %s is not expected", head.APIVersion, head.Kind)
		}
		read++
	}
	if read == 0 {
		return errors.New("it has no documents")
	}
	fmt.Printf("%d documents\n", read)
	return nil
}

// decode decodes as the API server does for strict field validation: names are case-sensitive.
func decode(document []byte, into any) error {
	b, err := sigsyaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	strict, err := kjson.UnmarshalStrict(b, into)
	return errors.Join(append(strict, err)...)
}

// admitted asks the evaluator of the Pod Security Standards that Kubernetes has.
func admitted(pod corev1.PodTemplateSpec, level api.Level) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	results := evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec)
	if r := policy.AggregateCheckResults(results); !r.Allowed {
		return fmt.Errorf("level %s: %s", level, r.ForbiddenDetail())
	}
	return nil
}

// compose loads a compose file against the schema of the specification.
func compose(file string, b []byte) error {
	details := types.ConfigDetails{WorkingDir: filepath.Dir(file), ConfigFiles: []types.ConfigFile{{Filename: file, Content: b}}}
	project, err := loader.LoadWithContext(context.Background(), details, func(o *loader.Options) { o.SetProjectName("strict", true) })
	if err != nil {
		return err
	}
	if len(project.Services) == 0 {
		return errors.New("it has no services")
	}
	fmt.Printf("%d services\n", len(project.Services))
	return nil
}

// schemas writes a JSON schema for each kind, as kubeconform names them.
func schemas(folder string) error {
	r := jsonschema.Reflector{Anonymous: true, Mapper: func(t reflect.Type) *jsonschema.Schema {
		switch t.String() {
		case "intstr.IntOrString":
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "integer"}}}
		case "resource.Quantity":
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}}}
		case "v1.Time", "v1.MicroTime":
			return &jsonschema.Schema{Type: "string", Format: "date-time"}
		}
		return nil
	}}
	for name, kind := range map[string]any{"deployment-apps-v1": appsv1.Deployment{}, "service-v1": corev1.Service{}} {
		b, err := json.MarshalIndent(r.Reflect(kind), "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name+".json"), append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}
