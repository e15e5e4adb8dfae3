//! States and codes as data: one table per enum gives its text, in the store and on the wire.

/// An enum with a text for each of its values.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value whose text this is.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_enum!(
    /// ECS's task states, in the order a task goes through them.
    TaskStatus {
        /// It was decided that it shall be.
        Provisioning = "PROVISIONING",
        /// It waits for room or a secret.
        Pending = "PENDING",
        /// Its first instance is being made.
        Activating = "ACTIVATING",
        /// It serves or runs.
        Running = "RUNNING",
        /// It gets no new requests and ends those it has.
        Deactivating = "DEACTIVATING",
        /// It is being told to end.
        Stopping = "STOPPING",
        /// What it held is given back.
        Deprovisioning = "DEPROVISIONING",
        /// It is gone; the record stays a while.
        Stopped = "STOPPED",
    }
);

text_enum!(
    /// Where a task shall be (ECS: RUNNING or STOPPED only).
    DesiredStatus {
        /// It shall run.
        Running = "RUNNING",
        /// It shall be gone.
        Stopped = "STOPPED",
    }
);

text_enum!(
    /// Whether a task does what it is there for.
    Health {
        /// Nobody looked yet.
        Unknown = "UNKNOWN",
        /// It does.
        Healthy = "HEALTHY",
        /// It doesn't.
        Unhealthy = "UNHEALTHY",
    }
);

text_enum!(
    /// What kind of thing stopped a task (ECS's codes).
    StopCode {
        /// It never came to RUNNING.
        TaskFailedToStart = "TaskFailedToStart",
        /// The guest ended by itself.
        EssentialContainerExited = "EssentialContainerExited",
        /// A person asked.
        UserInitiated = "UserInitiated",
        /// The service didn't need it any more, or replaced it.
        ServiceSchedulerInitiated = "ServiceSchedulerInitiated",
        /// The server stopped.
        TerminationNotice = "TerminationNotice",
    }
);

text_enum!(
    /// How far a deployment is.
    RolloutState {
        /// Tasks are being started or replaced.
        InProgress = "IN_PROGRESS",
        /// The service runs the revision and nothing else.
        Completed = "COMPLETED",
        /// It was given up.
        Failed = "FAILED",
        /// A person gave it up.
        Aborted = "ABORTED",
        /// A newer one took its place before it had ended.
        Superseded = "SUPERSEDED",
    }
);

text_enum!(
    /// What a deployment is doing (ECS's lifecycle stages, those that there are here).
    Stage {
        /// The old tasks stop before the new ones start.
        ScaleDown = "SCALE_DOWN",
        /// The new tasks start; with strategy rolling, the old ones make room for them.
        ScaleUp = "SCALE_UP",
        /// The new revision's answers are watched.
        Bake = "BAKE_TIME",
        /// The old tasks stop.
        CleanUp = "CLEAN_UP",
    }
);

text_enum!(
    /// Whether a deployment goes on.
    Pace {
        /// It does.
        Going = "GOING",
        /// It stays as it is until it is continued.
        Paused = "PAUSED",
    }
);

text_enum!(
    /// How far a run of a job is.
    RunState {
        /// It has tasks to do.
        InProgress = "IN_PROGRESS",
        /// All its tasks succeeded.
        Succeeded = "SUCCEEDED",
        /// A task failed for good, or its time was up.
        Failed = "FAILED",
        /// Somebody didn't want it any more.
        Cancelled = "CANCELLED",
    }
);
