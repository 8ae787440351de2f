package pages

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// embedded is what the pages look like and say where no directory says otherwise.
//
//go:embed builtin
var embedded embed.FS

// maxFile is how large a file of a directory may be: all of it is sent with each
// page.
const maxFile = 64 << 10

// files are the contents of files by their paths, with slashes.
type files map[string][]byte

var builtin = func() files {
	all := files{}
	root, err := fs.Sub(embedded, "builtin")
	if err == nil {
		err = fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				all[path], err = fs.ReadFile(root, path)
			}
			return err
		})
	}
	if err != nil {
		panic(err) // What is compiled in can be read.
	}
	return all
}()

// under lists the files of a folder.
func (f files) under(folder string) []string {
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(f)) {
		if strings.HasPrefix(path, folder) {
			paths = append(paths, path)
		}
	}
	return paths
}

// logos are the files that a logo can be, with their media types.
var logos = map[string]string{"logo.svg": "image/svg+xml", "logo.png": "image/png", "logo.webp": "image/webp"}

const expectedFiles = "expected style.css, logo.svg, logo.png or logo.webp, texts/<language>.json, or templates/<page>.html with a page of layout, login, organizations, consent, account, logout, logged-out or failure"

// expected reports whether a directory may have a file.
func expected(path string) bool {
	_, replaces := builtin[path]
	_, logo := logos[path]
	texts := strings.HasPrefix(path, "texts/") && strings.HasSuffix(path, ".json")
	return replaces || logo || texts
}

// readDir reads all files of a directory. Links are followed inside of it, as
// Kubernetes lays them, and nowhere else. Names that begin with a dot are left
// alone.
func readDir(dir string) (files, error) {
	all := files{}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; expected a directory that this process can read", err)
	}
	defer func() { _ = root.Close() }() // It was only read.
	for _, folder := range []string{".", "texts", "templates"} {
		entries, err := fs.ReadDir(root.FS(), folder)
		if errors.Is(err, fs.ErrNotExist) && folder != "." {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w; expected a directory inside of it", folder, err)
		}
		for _, entry := range entries {
			path := strings.TrimPrefix(folder+"/"+entry.Name(), "./")
			if strings.HasPrefix(entry.Name(), ".") || path == "texts" || path == "templates" {
				continue
			}
			if all[path], err = readFile(root, path); err != nil {
				return nil, inFile(path, err)
			}
		}
	}
	return all, nil
}

// inFile says in which file of the directory the mistake is.
func inFile(path string, err error) error { return fmt.Errorf("file %s: %w", path, err) }

func readFile(root *os.Root, path string) ([]byte, error) {
	if !expected(path) {
		return nil, errors.New("unrecognized; " + expectedFiles)
	}
	// Only a regular file is opened: another could be waited for.
	switch info, err := root.Stat(path); {
	case err != nil:
		return nil, fmt.Errorf("%w; expected a file inside of the directory that this process can read", err)
	case !info.Mode().IsRegular():
		return nil, errors.New("no regular file; expected one")
	}
	file, err := root.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; expected a file that this process can read", err)
	}
	defer func() { _ = file.Close() }() // It was only read.
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d KiB; expected at most that", maxFile>>10)
	}
	return data, err
}
