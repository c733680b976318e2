package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/queue/admin"
)

// completeQueues completes the first arguments to the names of queues, except
// those that are given already.
func completeQueues(t *target, arguments int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= arguments {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second) // a user waits at the prompt
		defer cancel()
		pool, err := t.pool(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer pool.Close()
		infos, err := admin.List(ctx, pool)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []cobra.Completion
		for _, info := range infos {
			if !slices.Contains(args, info.Name) {
				names = append(names, info.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFiles completes a flag to the name of any file.
func completeFiles(cmd *cobra.Command, flag string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault))
}
