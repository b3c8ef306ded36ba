package debugimage

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/report"
)

// Instructions returns how to use the images, and stages the files that the commands need. folder is
// the output folder, relative to the working folder.
func (k Kind) Instructions(dist *publish.Dist, folder string,
	made *pipeline.Built) (instructions []report.Instruction, err error) {
	shown := func(below string) string { return path.Join(filepath.ToSlash(folder), below) }
	if k.Toolbox {
		err := writeSecurityContext(dist, toolboxSpec, map[string]any{
			"capabilities": map[string]any{"add": []string{"SYS_PTRACE"}},
			"runAsUser":    0, "runAsGroup": 0, "runAsNonRoot": false,
		})
		if err != nil {
			return nil, err
		}
	}
	for _, img := range made.Plan.Images {
		config, err := made.Of(img.Name)[0].V1.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("read the settings of %s: %w", img.Name, err)
		}
		add := func(purpose, command string) {
			instructions = append(instructions,
				report.Instruction{Image: img.Name, Purpose: purpose, Command: command})
		}
		ref, user := img.Reference(), config.Config.User
		publish := "-p 127.0.0.1:" + Port + ":" + Port
		if k.Toolbox {
			join := "--pid=container:CONTAINER --cap-add=SYS_PTRACE --user=" + user + " " + ref
			add("attach to the service in a container", "docker run --rm -it "+join+" dlv attach 1")
			add("the same for a client elsewhere", "docker run --rm "+publish+" "+join+" dlv attach 1 "+
				strings.Join(headless, " "))
			add("the client", "dlv connect 127.0.0.1:"+Port)
			add("look around, in /proc/1/root", "docker run --rm -it "+join)
			add("attach to the service in a pod", "kubectl debug -it POD --image="+ref+
				" --target=CONTAINER --custom="+shown(toolboxSpec)+" -- dlv attach 1")
			continue
		}
		capability, replace := "", "--set-image=CONTAINER="+ref
		if len(img.Capabilities) > 0 {
			// A command that only replaces the image gives the container no capability.
			capability = "--cap-add=SYS_PTRACE "
			spec := path.Join("debug", img.Name+"-debug.json")
			replace = "--container=CONTAINER --image=" + ref + " --custom=" + shown(spec)
			err := writeSecurityContext(dist, spec,
				map[string]any{"capabilities": map[string]any{"add": containerCapabilities(img.Capabilities,
					k.capabilities(img))}})
			if err != nil {
				return nil, err
			}
		}
		add("run the service", "docker run --rm "+publish+" "+capability+"--user="+user+" "+ref)
		add("debug it", "dlv connect 127.0.0.1:"+Port)
		add("open a shell beside it", "docker exec -it CONTAINER sh")
		add("run it in place of a container of a pod", "kubectl debug POD --copy-to=POD-debug "+replace)
		add("reach its debugger", "kubectl port-forward pod/POD-debug "+Port)
	}
	return instructions, nil
}

// toolboxSpec is the path, below the output folder, of the container specification fields that
// a toolbox needs.
const toolboxSpec = "debug/toolbox.json"

// writeSecurityContext writes the file for kubectl debug -custom.
func writeSecurityContext(dist *publish.Dist, below string, context map[string]any) error {
	spec, err := json.MarshalIndent(map[string]any{"securityContext": context}, "", "  ")
	if err != nil {
		return err
	}
	return dist.Write(below, append(spec, '\n'))
}

// containerCapabilities returns file capabilities with the names that Kubernetes uses, sorted.
func containerCapabilities(lists ...[]string) []string {
	var all []string
	for _, c := range slices.Concat(lists...) {
		all = append(all, strings.TrimPrefix(strings.ToUpper(c), "CAP_"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
