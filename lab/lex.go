package lab

import (
	"fmt"
	"strings"
)

// A Line is one command of a lab, cut into words.
type Line struct {
	File  string
	Num   int    // from 1
	Text  string // as written, without the comment and outer blanks
	Words []string
	Input string // the here-document's lines, each with its newline
	Here  bool   // there is a here-document
}

// An Error is something in a lab that is no command. It names file and line.
type Error struct {
	File string
	Line int
	Msg  string
}

// Error returns file:line: and the message.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg) }

// Lex cuts a lab's text into commands, one a line:
//
//	# to the end of the line, at the start of a word: a comment
//	'...'     as it stands
//	"..."     as it stands, but \" and \\ are " and \
//	\c        the character c
//	cmd <<EOF the lines up to one that reads EOF are the command's input
//
// There are no variables, pipes, redirections, lists or continued lines: an
// unquoted character that would mean such a thing to a shell is an error.
func Lex(file, src string) ([]Line, error) {
	var lines []Line
	rest := src
	for num := 1; rest != ""; num++ {
		var text string
		text, rest, _ = strings.Cut(rest, "\n")
		x := lexer{in: strings.TrimSuffix(text, "\r")}
		if err := x.words(); err != nil {
			return nil, &Error{file, num, err.Error()}
		}
		if len(x.out) == 0 && !x.here {
			continue
		}
		l := Line{File: file, Num: num, Text: strings.TrimSpace(x.in[:x.end]), Words: x.out, Here: x.here}
		if len(x.out) == 0 {
			return nil, &Error{file, num, "a here-document without a command"}
		}
		if x.here {
			var ok bool
			var used int
			l.Input, rest, used, ok = hereDocument(rest, x.mark)
			if !ok {
				return nil, &Error{file, num, fmt.Sprintf("no line %q ends the here-document", x.mark)}
			}
			num += used
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// hereDocument splits rest at the line mark, and counts the lines used.
func hereDocument(rest, mark string) (body, after string, used int, ok bool) {
	var b strings.Builder
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		used++
		if strings.TrimSuffix(line, "\r") == mark {
			return b.String(), rest, used, true
		}
		b.WriteString(line + "\n")
	}
	return "", "", used, false
}

type lexer struct {
	in   string
	i    int
	end  int // of the command's text, ahead of a comment
	out  []string
	here bool
	mark string
}

// words cuts one line.
func (x *lexer) words() error {
	for {
		for x.i < len(x.in) && (x.in[x.i] == ' ' || x.in[x.i] == '\t') {
			x.i++
		}
		if x.i == len(x.in) || x.in[x.i] == '#' {
			x.end = x.i
			return nil
		}
		here := strings.HasPrefix(x.in[x.i:], "<<")
		if here {
			if x.here {
				return fmt.Errorf("two here-documents")
			}
			x.i += 2
			for x.i < len(x.in) && x.in[x.i] == ' ' {
				x.i++
			}
		}
		w, err := x.word()
		if err != nil {
			return err
		}
		switch {
		case here && w == "":
			return fmt.Errorf("<< without a word")
		case here:
			x.here, x.mark = true, w
		default:
			x.out = append(x.out, w)
		}
	}
}

func (x *lexer) word() (string, error) {
	var b strings.Builder
	for x.i < len(x.in) {
		c := x.in[x.i]
		x.i++
		switch {
		case c == ' ' || c == '\t':
			return b.String(), nil
		case c == '\'':
			n := strings.IndexByte(x.in[x.i:], '\'')
			if n < 0 {
				return "", fmt.Errorf("' is not closed")
			}
			b.WriteString(x.in[x.i : x.i+n])
			x.i += n + 1
		case c == '"':
			if err := x.double(&b); err != nil {
				return "", err
			}
		case c == '\\':
			if x.i == len(x.in) {
				return "", fmt.Errorf("a command is one line, \\ cannot end it")
			}
			b.WriteByte(x.in[x.i])
			x.i++
		case strings.IndexByte("|&;<>()$`", c) >= 0:
			return "", fmt.Errorf("%q means nothing in a lab: quote it", c)
		case c < ' ' || c == 0x7f:
			return "", fmt.Errorf("control character %q", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// double reads on to the closing ".
func (x *lexer) double(b *strings.Builder) error {
	for x.i < len(x.in) {
		c := x.in[x.i]
		x.i++
		switch {
		case c == '"':
			return nil
		case c == '$' || c == '`':
			return fmt.Errorf("%q means nothing in a lab: use '...'", c)
		case c == '\\' && x.i < len(x.in) && (x.in[x.i] == '"' || x.in[x.i] == '\\'):
			c = x.in[x.i]
			x.i++
		}
		b.WriteByte(c)
	}
	return fmt.Errorf("\" is not closed")
}
