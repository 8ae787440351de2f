package pages

import "strings"

// mark is how a product is known in a User-Agent, the first that is found first:
// most of them also name their ancestors.
type mark struct{ has, name string }

var browsers = []mark{
	{"Edg", "Edge"},
	{"OPR/", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Firefox/", "Firefox"},
	{"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"},
	{"Chromium/", "Chromium"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
}

var systems = []mark{
	{"Android", "Android"},
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Windows", "Windows"},
	{"Mac OS X", "macOS"},
	{"CrOS", "ChromeOS"},
	{"Linux", "Linux"},
}

func find(marks []mark, in string) string {
	for _, m := range marks {
		if strings.Contains(in, m.has) {
			return m.name
		}
	}
	return ""
}

// device names the browser and system that a User-Agent claims. It is a claim, for
// a person to recognize a session by, and decides nothing.
func (l *language) device(agent string) (phrase, error) {
	browser, system := find(browsers, agent), find(systems, agent)
	key := "device"
	switch {
	case browser == "" && system == "":
		key = "device.unknown"
	case system == "":
		return phrase(browser), nil
	case browser == "":
		return phrase(system), nil
	}
	s, err := l.plain(key, "browser", phrase(browser), "system", phrase(system))
	return phrase(s), err
}
