package deployment

import (
	"fmt"
	"time"
)

// The parts of a compose file that are written (https://github.com/compose-spec/compose-spec).
type (
	composeFile struct {
		Services map[string]composeService `yaml:"services"`
		Volumes  map[string]struct{}       `yaml:"volumes,omitempty"`
	}
	composeService struct {
		Image       string         `yaml:"image"`
		Restart     string         `yaml:"restart"`
		User        string         `yaml:"user,omitempty"`
		ReadOnly    bool           `yaml:"read_only"`
		CapDrop     []string       `yaml:"cap_drop"`
		CapAdd      []string       `yaml:"cap_add,omitempty"`
		SecurityOpt []string       `yaml:"security_opt,omitempty"`
		Tmpfs       []string       `yaml:"tmpfs,omitempty"`
		Volumes     []string       `yaml:"volumes,omitempty"`
		Ports       []string       `yaml:"ports,omitempty"`
		Healthcheck *composeHealth `yaml:"healthcheck,omitempty"`
	}
	composeHealth struct {
		Test        []string `yaml:"test"`
		Interval    string   `yaml:"interval,omitempty"`
		Timeout     string   `yaml:"timeout,omitempty"`
		StartPeriod string   `yaml:"start_period,omitempty"`
		Retries     int      `yaml:"retries,omitempty"`
	}
)

// Compose returns a compose file with all services. Ports are published on loopback.
func Compose(services []Service) ([]byte, error) {
	file := composeFile{Services: map[string]composeService{}}
	comment := []string{"Ports are published on this machine only. Remove 127.0.0.1 to publish them on all " +
		"addresses."}
	for _, s := range services {
		c := composeService{
			Image: s.Reference, Restart: "unless-stopped", ReadOnly: true,
			CapDrop: []string{"ALL"}, CapAdd: s.added(), SecurityOpt: []string{"no-new-privileges:true"},
		}
		if uid, _, numeric := s.ids(); numeric && uid != 0 {
			c.User = s.User
		}
		if len(s.Capabilities) > 0 { // a file gives none without new privileges
			c.SecurityOpt = nil
			comment = append(comment, "A file in the image "+s.Name+
				" has capabilities, so new privileges are allowed.")
		}
		for _, m := range s.mounts() {
			if m.MountPath == "/tmp" && s.Tmp {
				c.Tmpfs = append(c.Tmpfs, "/tmp:rw,noexec,nosuid,nodev,mode=1777")
				continue
			}
			name := label(s.Name) + "-" + m.Name
			c.Volumes = append(c.Volumes, name+":"+m.MountPath)
			if file.Volumes == nil {
				file.Volumes = map[string]struct{}{}
			}
			file.Volumes[name] = struct{}{}
		}
		for _, text := range s.Ports {
			p := parsePort(text)
			c.Ports = append(c.Ports, fmt.Sprintf("127.0.0.1:%d:%d/%s", p.number, p.number, p.protocol))
		}
		if h := s.Health; s.healthCommand() != nil {
			c.Healthcheck = &composeHealth{
				Test: h.Test, Interval: duration(h.Interval), Timeout: duration(h.Timeout),
				StartPeriod: duration(h.StartPeriod), Retries: h.Retries,
			}
		}
		if !s.Released {
			comment = append(comment, "The image "+s.Name+
				" is not released: load it with \"mage image -load\".")
		}
		file.Services[label(s.Name)] = c
	}
	return document(comment, file)
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
