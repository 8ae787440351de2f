package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for a file that another process holds: long
// enough for an old process to end, short enough to fail within 2 s.
const lockWait = 1500 * time.Millisecond

func openFile(path string, bo bolt.Options) (db *bolt.DB, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	_, statErr := os.Stat(path)
	bo.Timeout = lockWait
	bo.FreelistType = bolt.FreelistMapType
	bo.NoStatistics = true
	err = noPanic(func() error {
		db, err = bolt.Open(path, 0o600, &bo)
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("another process holds the file (waited %s): stop it, or use another path", lockWait)
	}
	if err != nil {
		return nil, err
	}
	err = noPanic(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			_, err1 := tx.CreateBucketIfNotExists(bucketValues)
			_, err2 := tx.CreateBucketIfNotExists(bucketExpiry)
			_, err3 := tx.CreateBucketIfNotExists(bucketFeed)
			return errors.Join(err1, err2, err3)
		})
	})
	if err == nil && errors.Is(statErr, fs.ErrNotExist) {
		err = syncDir(dir) // Else a power cut could lose the new file itself.
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// noPanic turns a panic of bbolt, which it raises on a damaged file, into an
// error: the proxy must outlive its store.
func noPanic(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return fn()
}

var errDamaged = errors.New("the file is damaged")
