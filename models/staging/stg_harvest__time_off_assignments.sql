{#- A person's schedule is named by its number, or, where it is the account's own, by its name. -#}
with schedules as (
  select work_schedule_name, min(work_schedule_id) as work_schedule_id
  from {{ ref('stg_harvest__work_schedules') }}
  group by work_schedule_name
)

select
  assignments.user__id as user_id,
  min(assignments.holiday_calendar__id) as holiday_calendar_id,
  min(coalesce(assignments.work_schedule__id, schedules.work_schedule_id)) as work_schedule_id
from {{ harvest.harvest_table('pto_assignments') }} as assignments
left join schedules
  on schedules.work_schedule_name = assignments.effective_work_schedule__name
where assignments.user__id is not null
group by assignments.user__id
