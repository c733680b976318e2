package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue"
)

// completeQueues has a shell complete the first arguments to the names of queues.
func completeQueues(t *target, arguments int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= arguments {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second) // somebody waits at a prompt
		defer cancel()
		pool, err := t.pool(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer pool.Close()
		infos, err := queue.List(ctx, pool)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		names := make([]cobra.Completion, len(infos))
		for i, info := range infos {
			names[i] = info.Name
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
