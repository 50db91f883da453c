package lab

import (
	"regexp"
	"strconv"
)

var longLife = regexp.MustCompile(`((?:valid_lft|preferred_lft|expires) |"(?:valid_life_time|preferred_life_time|expires)": ?)([0-9]{3,10})`)

// roundLives rounds lifetimes of 100 seconds and more to minutes: they count down
// while a lab runs, but what an advertisement has made of them shall be seen. A lab
// gives lifetimes of whole minutes.
func roundLives(s string) string {
	return longLife.ReplaceAllStringFunc(s, func(m string) string {
		part := longLife.FindStringSubmatch(m)
		n, err := strconv.ParseInt(part[2], 10, 64)
		if err != nil || n >= 1<<32-1 {
			return m
		}
		return part[1] + strconv.FormatInt((n+30)/60*60, 10)
	})
}
