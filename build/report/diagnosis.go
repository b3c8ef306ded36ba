package report

// Diagnosis is the result of Doctor, in a fixed order.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
}

// Finding is one line of a Diagnosis.
type Finding struct {
	// Check names what was checked: "go", "git", "registry" and so on.
	Check string `json:"check"`
	State State  `json:"state"`
	// Detail is what was found. Fix is the command or step that fixes it.
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// State is the result of a check.
type State string

// A problem prevents some configured target from working; a note prevents none.
const (
	OK      State = "ok"
	Note    State = "note"
	Problem State = "failed"
)

// Failed returns how many checks failed.
func (d *Diagnosis) Failed() (n int) {
	for _, f := range d.Findings {
		if f.State == Problem {
			n++
		}
	}
	return n
}
