package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Feed carries entries, such as revocations, to every replica that shares the
// store. It stands in the same backend as the store's values, and entries are
// opaque here. An entry is any bytes; at least 64 KiB fit. See docs/stores.md.
//
// Order: entries have one order, which is the same for every follower. An entry
// whose Publish returned before another Publish began stands before it.
//
// At least once: an entry whose Publish gave no error reaches every follower,
// or the follower is told ErrFeedGap. After an error of Publish the entry may
// stand in the feed or not, and one Publish may stand in it twice.
//
// Forgetting: an entry is kept until its time is over by the caller's clock,
// and CollectAfter longer. It is removed by a later Publish, and only when all
// entries before it can be removed too, so it may still be handed out after its
// time. Removing moves no other entry.
type Feed interface {
	// Publish appends an entry that may be forgotten after until. An until
	// that is not in the future is ErrPastExpiry.
	Publish(ctx context.Context, entry []byte, until time.Time) error

	// Follow hands the entries after the position from to fn, in their order,
	// then waits for more, and hands each on well within a second. It returns
	// only with an error, and never calls fn again after that.
	//
	// An empty from stands before the oldest entry that is still kept. Any
	// other must be a position that fn got from this feed, by this process or
	// another. Positions are compared for equality only. Entries belong to fn.
	//
	// ErrFeedGap says that entries after the last position may have gone: they
	// were forgotten, the backend lost them, or from is no position of this
	// feed. Whoever follows has to start again with an empty from. A gap at
	// the end of the feed is noticed within a second, except while the feed
	// held no entry at all since Follow began.
	//
	// A context that is done gives its error, a closed store ErrClosed. Any
	// other error is a fault of the store: follow again from the last position.
	//
	// Follow does not say when everything old was handed out. To know, publish
	// an entry of your own after Follow began, and wait for it.
	Follow(ctx context.Context, from string, fn func(position string, entry []byte)) error
}

// ErrFeedGap says that a follower has missed entries, or cannot know that it
// has not. See Feed.Follow.
var ErrFeedGap = errors.New("gap in the feed")

// FeedGap gives ErrFeedGap for a follower that stood at position, with why.
func FeedGap(position, why string) error {
	return fmt.Errorf("%w after position %.64q: %s", ErrFeedGap, position, why)
}
