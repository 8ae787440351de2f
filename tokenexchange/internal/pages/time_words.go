package pages

import (
	"strconv"
	"time"

	"golang.org/x/text/feature/plural"
)

// forms are the plural forms that a language can have (CLDR). English and German
// have one and other.
var forms = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
}

// units are what durations are told in. What is told in days is more than two.
var units = []struct {
	name   string
	length time.Duration
	from   time.Duration
}{
	{"day", 24 * time.Hour, 48 * time.Hour},
	{"hour", time.Hour, time.Hour},
	{"minute", time.Minute, time.Minute},
	{"second", time.Second, 0},
}

// count says how many there are of something, in the plural form of the language.
func (l *language) count(key string, n int) (phrase, error) {
	form := key + "." + forms[plural.Cardinal.MatchPlural(l.tag, n%1e7, 0, 0, 0, 0)]
	if !l.has(form) {
		form = key + ".other"
	}
	s, err := l.plain(form, "n", n)
	return phrase(s), err
}

// duration says how long something takes, by its two largest units.
func (l *language) duration(d time.Duration) (phrase, error) {
	for i, u := range units {
		if d < u.from && i < len(units)-1 {
			continue
		}
		most, err := l.count("duration."+u.name, int(d/u.length))
		if err != nil || i == len(units)-1 {
			return most, err
		}
		next := units[i+1]
		rest := int(d % u.length / next.length)
		if rest == 0 {
			return most, nil
		}
		least, err := l.count("duration."+next.name, rest)
		if err != nil {
			return "", err
		}
		s, err := l.plain("duration.and", "most", most, "least", least)
		return phrase(s), err
	}
	return "", nil
}

// seconds is duration for what is counted in seconds.
func (l *language) seconds(n int) (phrase, error) { return l.duration(time.Duration(n) * time.Second) }

// date says when something was. Nobody knows the time zone of a person without a
// script, so it is told in UTC.
func (l *language) date(t time.Time) (phrase, error) {
	if t.IsZero() {
		s, err := l.plain("date.unknown")
		return phrase(s), err
	}
	t = t.UTC()
	month, err := l.plain("month." + strconv.Itoa(int(t.Month())))
	if err != nil {
		return "", err
	}
	s, err := l.plain("date", "day", t.Day(), "month", phrase(month), "year", phrase(strconv.Itoa(t.Year())), "time", phrase(t.Format("15:04")))
	return phrase(s), err
}

// iso is date for machines.
func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }
