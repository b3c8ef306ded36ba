package deployment

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
)

// The parts of the API of Kubernetes that are written (apps/v1 and v1, the fields of k8s.io/api).
type (
	object struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   metadata `yaml:"metadata"`
		Spec       any      `yaml:"spec"`
	}
	metadata struct {
		Name   string            `yaml:"name,omitempty"`
		Labels map[string]string `yaml:"labels,omitempty"`
	}
	deploymentSpec struct {
		Selector selector `yaml:"selector"`
		Template template `yaml:"template"`
	}
	selector struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	template struct {
		Metadata metadata `yaml:"metadata"`
		Spec     podSpec  `yaml:"spec"`
	}
	podSpec struct {
		AutomountServiceAccountToken bool        `yaml:"automountServiceAccountToken"`
		SecurityContext              podSecurity `yaml:"securityContext"`
		Containers                   []container `yaml:"containers"`
		Volumes                      []volume    `yaml:"volumes,omitempty"`
	}
	podSecurity struct {
		RunAsNonRoot   bool    `yaml:"runAsNonRoot,omitempty"`
		RunAsUser      *int64  `yaml:"runAsUser,omitempty"`
		RunAsGroup     *int64  `yaml:"runAsGroup,omitempty"`
		FSGroup        *int64  `yaml:"fsGroup,omitempty"`
		SeccompProfile profile `yaml:"seccompProfile"`
	}
	profile struct {
		Type string `yaml:"type"`
	}
	container struct {
		Name            string            `yaml:"name"`
		Image           string            `yaml:"image"`
		Ports           []containerPort   `yaml:"ports,omitempty"`
		ReadinessProbe  *probe            `yaml:"readinessProbe,omitempty"`
		LivenessProbe   *probe            `yaml:"livenessProbe,omitempty"`
		SecurityContext containerSecurity `yaml:"securityContext"`
		VolumeMounts    []mount           `yaml:"volumeMounts,omitempty"`
	}
	containerPort struct {
		Name          string `yaml:"name"`
		ContainerPort int    `yaml:"containerPort"`
		Protocol      string `yaml:"protocol"`
	}
	containerSecurity struct {
		AllowPrivilegeEscalation bool         `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool         `yaml:"readOnlyRootFilesystem"`
		Capabilities             capabilities `yaml:"capabilities"`
	}
	capabilities struct {
		Drop []string `yaml:"drop"`
		Add  []string `yaml:"add,omitempty"`
	}
	probe struct {
		Exec                exec  `yaml:"exec"`
		InitialDelaySeconds int32 `yaml:"initialDelaySeconds,omitempty"`
		PeriodSeconds       int32 `yaml:"periodSeconds,omitempty"`
		TimeoutSeconds      int32 `yaml:"timeoutSeconds,omitempty"`
		FailureThreshold    int32 `yaml:"failureThreshold,omitempty"`
	}
	exec struct {
		Command []string `yaml:"command"`
	}
	mount struct {
		Name      string `yaml:"name"`
		MountPath string `yaml:"mountPath"`
	}
	volume struct {
		Name     string   `yaml:"name"`
		EmptyDir struct{} `yaml:"emptyDir"`
	}
	serviceSpec struct {
		Selector map[string]string `yaml:"selector"`
		Ports    []servicePort     `yaml:"ports"`
	}
	servicePort struct {
		Name       string `yaml:"name"`
		Port       int    `yaml:"port"`
		TargetPort string `yaml:"targetPort"`
		Protocol   string `yaml:"protocol"`
	}
)

// Kubernetes returns a Deployment for each service, and a Service if it has ports.
func Kubernetes(services []Service) ([]byte, error) {
	var docs [][]byte
	for _, s := range services {
		doc, err := document(s.remarks(), s.deployment())
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
		if len(s.Ports) == 0 {
			continue
		}
		if doc, err = document(nil, s.service()); err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return bytes.Join(docs, []byte("---\n")), nil
}

// remarks say what is left to the user, and what the image does not allow.
func (s Service) remarks() []string {
	all := []string{"Replicas and resources depend on your load: set them here."}
	if !s.Released {
		all = append(all,
			"The image is not released, so it has no digest: write this again after \"mage release\".")
	}
	if uid, _, numeric := s.ids(); !numeric {
		all = append(all, "The image's user "+strconv.Quote(s.User)+
			" is a name, which runAsNonRoot does not accept: set runAsUser.")
	} else if uid == 0 {
		all = append(all, "The image runs as root, so runAsNonRoot is not set.")
	}
	if len(s.Capabilities) > 0 {
		all = append(all,
			"A file in the image has capabilities. It gives them only if privilege escalation is allowed.")
	}
	if len(s.Volumes) > 0 {
		all = append(all, "An emptyDir ends with its pod: use a persistentVolumeClaim for data that is kept.")
	}
	return all
}

func (s Service) labels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": label(s.Name)}
}

func (s Service) deployment() object {
	pod := podSpec{SecurityContext: podSecurity{SeccompProfile: profile{"RuntimeDefault"}}}
	if uid, gid, numeric := s.ids(); numeric && uid != 0 {
		pod.SecurityContext.RunAsNonRoot = true
		pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup = &uid, gid
		if len(s.Volumes) > 0 {
			pod.SecurityContext.FSGroup = gid
		}
	}
	c := container{
		Name: label(s.Name), Image: s.Reference,
		SecurityContext: containerSecurity{
			AllowPrivilegeEscalation: len(s.Capabilities) > 0, ReadOnlyRootFilesystem: true,
			Capabilities: capabilities{Drop: []string{"ALL"}, Add: s.added()},
		},
	}
	for _, text := range s.Ports {
		p := parsePort(text)
		c.Ports = append(c.Ports, containerPort{Name: p.name(), ContainerPort: p.number,
			Protocol: strings.ToUpper(p.protocol)})
	}
	c.ReadinessProbe, c.LivenessProbe = s.probes()
	for _, m := range s.mounts() {
		c.VolumeMounts = append(c.VolumeMounts, m)
		pod.Volumes = append(pod.Volumes, volume{Name: m.Name})
	}
	pod.Containers = []container{c}
	return object{
		APIVersion: "apps/v1", Kind: "Deployment",
		Metadata: metadata{Name: label(s.Name), Labels: s.labels()},
		Spec: deploymentSpec{Selector: selector{s.labels()},
			Template: template{Metadata: metadata{Labels: s.labels()}, Spec: pod}},
	}
}

func (s Service) service() object {
	spec := serviceSpec{Selector: s.labels()}
	for _, text := range s.Ports {
		p := parsePort(text)
		spec.Ports = append(spec.Ports, servicePort{Name: p.name(), Port: p.number, TargetPort: p.name(),
			Protocol: strings.ToUpper(p.protocol)})
	}
	return object{APIVersion: "v1", Kind: "Service",
		Metadata: metadata{Name: label(s.Name), Labels: s.labels()}, Spec: spec}
}

// processTimeout replaces the default of Kubernetes for a probe, one second, which is little for
// starting a process on a busy machine.
const processTimeout = 5 * time.Second

// probes returns the health check as probes: a service that is not healthy gets no requests, and is
// started again if that lasts. Times that the image does not set are those of Kubernetes.
func (s Service) probes() (readiness, liveness *probe) {
	command := s.healthCommand()
	if command == nil {
		return nil, nil
	}
	timeout := s.Health.Timeout
	if timeout == 0 {
		timeout = processTimeout
	}
	p := probe{
		Exec: exec{command}, PeriodSeconds: seconds(s.Health.Interval), TimeoutSeconds: seconds(timeout),
		FailureThreshold: int32(min(s.Health.Retries, math.MaxInt32)),
	}
	later := p
	later.InitialDelaySeconds = seconds(s.Health.StartPeriod)
	return &p, &later
}

// seconds rounds up, because Kubernetes has only whole seconds.
func seconds(d time.Duration) int32 {
	return int32(min(math.Ceil(d.Seconds()), math.MaxInt32))
}

// mounts returns the folders that can be written, with unique names.
func (s Service) mounts() []mount {
	var all []mount
	used := map[string]bool{}
	add := func(path string) {
		name := label(path)
		for n := 2; used[name]; n++ {
			name = label(path[:min(len(path), maxLabel-4)] + "-" + strconv.Itoa(n))
		}
		used[name] = true
		all = append(all, mount{Name: name, MountPath: path})
	}
	if s.Tmp {
		add("/tmp")
	}
	for _, v := range s.Volumes {
		if v != "/tmp" || !s.Tmp {
			add(v)
		}
	}
	return all
}
