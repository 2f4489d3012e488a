package agent

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"weft.dev/model"
)

// home is where a workload has its configuration from, and who hears how it is.
type home interface {
	// open returns what serves the configuration, once the workload may have it.
	open(ctx context.Context) (upstream, error)
	// run does what is to be done beside the workload, until ctx ends.
	run(ctx context.Context)
	// tell says how the workload is. Of one that drains it returns when nobody is sent
	// there any more, or ctx has ended.
	tell(ctx context.Context, h model.Health)
	// leave says that the workload is no more.
	leave()
	// describe adds to a status what the agent itself does not know.
	describe(*Status)
}

// upstream serves configuration until it is closed.
type upstream interface {
	grpc.ClientConnInterface
	io.Closer
}

func (a *agent) newHome(held *claims) (home, error) {
	if a.Published != nil {
		return newPublished(a)
	}
	return newMember(a, held)
}
