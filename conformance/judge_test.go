package conformance

import (
	"strings"
	"testing"

	"nsmodel/lab"
)

func TestDirectives(t *testing.T) {
	l, err := Parse("x.lab", "# A lab.\n#: linux 6.18: differs because\n#: - a+\n#: + b\n#: needs bridge tcpdump\n#: linux 6.18: uncounted no reason\nip link\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Differs) != 1 || len(l.Differs[0].Lines) != 2 || l.Differs[0].Reason != "because" || l.Differs[0].Kernel != "6.18" || len(l.Needs) != 2 || l.Uncounted != "no reason" {
		t.Errorf("%+v", l)
	}
	for text, want := range map[string]string{
		"#: linux: skip\nip link\n":                 "x.lab:1: linux: skip without a reason",
		"#: linux: maybe so\nip link\n":             "x.lab:1: linux: \"maybe\" is none of skip, uncounted and differs",
		"#: - a\nip link\n":                         "x.lab:1: \"- a\" without a \"linux VERSION: differs\" before it",
		"#: linux: differs x\nip link\n":            "x.lab:1: linux: differs without the version on which that was seen, as in \"linux 6.18: differs\"",
		"#: linux six: differs x\nip link\n":        "x.lab:1: linux \"six\": want a version as 6.18",
		"#: linux 6.18: skip x\nip link\n":          "x.lab:1: linux 6.18: skip is about every version",
		"#: nonsense\nip link\n":                    "x.lab:1: unknown directive \"nonsense\"",
		"#: linux 6.18: differs x\n#: - (\nip link": "x.lab:2: error parsing regexp: missing closing ): `^(?:()$`",
		"ip link\n#: needs bridge\n":                "x.lab:2: a directive stands before the first command",
		"ip link\nfrobnicate\n":                     "x.lab:2: unknown command \"frobnicate\" (a lab knows ip, bridge, sysctl, ping, tracepath, traceroute and probe)",
		"# fine\n#: linux: skip r\nip link <<E":     "x.lab:3: no line \"E\" ends the here-document",
	} {
		if _, err := Parse("x.lab", text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// An explanation covers just the lines it names, in their order, and one that
// covers nothing is told.
func TestExplain(t *testing.T) {
	diff := []diffLine{{' ', 3, "$ ip link"}, {'-', 3, " one "}, {'+', 3, "two"}, {' ', 4, "$ ip addr"}, {'-', 4, "three"}}
	for _, c := range []struct{ head, rest string }{
		{"", "  3   $ ip link\n  3 -  one \n  3 + two\n  4   $ ip addr\n  4 - three\n"},
		{"#: linux 6.18: differs r\n#: - one\n#: + two\n", "  4   $ ip addr\n  4 - three\n"},
		{"#: linux 6.18: differs r\n#: - one\n#: + two\n#: linux 6.18: differs s\n#: - t.*\n", ""},
		{"#: linux 6.18: differs r\n#: + two\n#: - one\n", "  3   $ ip link\n  3 -  one \n  4   $ ip addr\n  4 - three\n[r]"},
		{"#: linux 6.18: differs r\n#: - on\n", "  3   $ ip link\n  3 -  one \n  3 + two\n  4   $ ip addr\n  4 - three\n[r]"},
		{"#: linux 6.18: differs r\n", "  3   $ ip link\n  3 -  one \n  3 + two\n  4   $ ip addr\n  4 - three\n[r]"},
	} {
		l, err := Parse("x.lab", c.head+"ip link\n")
		if err != nil {
			t.Fatal(err)
		}
		rest, idle := l.explain(diff, "6.18.44")
		got := report(rest)
		for _, d := range idle {
			got += "[" + d.Reason + "]"
		}
		if got != c.rest {
			t.Errorf("%s:\n%swant\n%s", c.head, got, c.rest)
		}
	}
}

// What was explained of another version of Linux is a note, whether it is there
// or not, and does not hide what comes after it; the rest is a failure as ever.
func TestOtherVersions(t *testing.T) {
	diff := []diffLine{{' ', 3, "$ ip link"}, {'-', 3, "one"}, {'+', 3, "two"}}
	const here, there = "#: linux 6.18: differs r\n#: - one\n#: + two\n", "#: linux 6.1: differs s\n#: - one\n#: + two\n"
	for _, c := range []struct {
		head, release string
		outcome       Outcome
		text, note    string
	}{
		{here, "6.18.44", Passed, "", ""},
		{here, "6.18", Passed, "", ""},
		{here, "6.18-rc1", Passed, "", ""},
		{here, "6.1.180", Passed, "", "also on 6.1.180, and not only on 6.18: r"},
		{there, "6.18.44", Passed, "", "also on 6.18.44, and not only on 6.1: s"},
		{there + here, "6.18.44", Failed, "not there (any more): r", "also on 6.18.44, and not only on 6.1: s"},
		{here + "#: linux 6.1: differs s\n#: - three\n", "6.18.44", Passed, "", "not so, or not wholly so, on 6.18.44, but on 6.1: s"},
		{"#: linux 6.1: differs s\n#: - three\n" + here, "6.18.44", Passed, "", "not so, or not wholly so, on 6.18.44, but on 6.1: s"},
		{"#: linux 6.18: differs s\n#: - three\n" + here, "6.18.44", Failed, "3 - one", ""},
		{"#: linux 6.1: differs s\n#: - one\n", "6.18.44", Failed, "3 + two", "also on 6.18.44"},
		{"", "6.18.44", Failed, "3 + two", ""},
	} {
		l, err := Parse("x.lab", c.head+"ip link\n")
		if err != nil {
			t.Fatal(err)
		}
		f := l.verdict(diff, c.release)
		if notes := strings.Join(f.Notes, ";"); f.Outcome != c.outcome || !strings.Contains(f.Text, c.text) || !strings.Contains(notes, c.note) || (notes == "") != (c.note == "") {
			t.Errorf("%son %s: %s, notes %q\n%s", c.head, c.release, f.Outcome, notes, f.Text)
		}
	}
}

// The judge compares what matters and names what was drawn at random.
func TestNormalForm(t *testing.T) {
	l, err := Parse("x.lab", "ip link\nip neigh\n")
	if err != nil {
		t.Fatal(err)
	}
	j := command("ip", "-j", "link")
	side := func(mac, order string) []said {
		return l.normalised([]lab.Result{
			{Line: l.Lines[0], Stdout: "link/ether " + mac + " qlen 1000\n"},
			{Line: l.Lines[1], Stdout: order},
			{Line: j, Stdout: `[{"ifname":"v0","address":"` + mac + `","flags":["UP","LOWER_UP"]},{}]`, Exit: 1}})
	}
	a, b := side("aa:00:00:00:00:01", "10.0.0.2 x\n10.0.0.1 y\n"), side("bb:00:00:00:00:01", "10.0.0.1 y\n10.0.0.2 x\n")
	if diff := compare(a, b); len(diff) > 0 {
		t.Error(report(diff))
	}
	want := "v0 address=\"MAC1\"\nv0 flags[0]=\"UP\"\nv0 flags[1]=\"LOWER_UP\"\nv0 ifname=\"v0\"\n[exit 1]"
	if got := strings.Join(a[2].lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if diff := compare(a, side("bb:00:00:00:00:01", "10.0.0.1 z\n")); report(diff) != "  2   $ ip neigh\n  2 - 10.0.0.1 y\n  2 - 10.0.0.2 x\n  2 + 10.0.0.1 z\n" {
		t.Error(report(diff))
	}
}

// Every lab says what it shows.
func TestLabsSayWhatTheyShow(t *testing.T) {
	all := labs(t)
	if len(all) < 26 {
		t.Errorf("%d labs", len(all))
	}
	for _, l := range all {
		if !strings.HasPrefix(l.Text, "# ") {
			t.Errorf("%s begins without a sentence", l.Path)
		}
	}
}
