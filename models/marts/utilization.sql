{#- Harvest counts whole weeks of `weekly_capacity`. Net capacity is counted by day: the person's
    schedule, less public holidays and approved time off, from the first day of work on. -#}
with people as (
  select
    people.*,
    case
      when people.works_until is not null then people.works_until
      when people.last_entry_on > {{ harvest.today() }} then people.last_entry_on
      else {{ harvest.today() }}
    end as counted_until
  from {{ ref('dim_people') }} as people
),

spans as (
  select
    people.*,
    coalesce(first_days.week_start, people.works_from) as first_week,
    coalesce(last_days.week_start, people.counted_until) as last_week
  from people
  left join {{ ref('dim_days') }} as first_days on first_days.day = people.works_from
  left join {{ ref('dim_days') }} as last_days on last_days.day = people.counted_until
),

person_days as (
  select
    spans.user_id,
    spans.person_name,
    days.day,
    days.weekday,
    days.week_start,
    case when days.is_working_day then {{ harvest.ratio('spans.weekly_capacity_hours', '5') }} else 0 end
      as capacity_hours,
    case
      when assignments.work_schedule_id is not null then coalesce(schedules.hours, 0)
      when days.is_working_day then {{ harvest.ratio('spans.weekly_capacity_hours', '5') }}
      else 0
    end as scheduled_hours,
    holidays.day is not null as is_holiday,
    days.day >= spans.works_from and days.day <= coalesce(spans.works_until, days.day)
      as is_employed
  from spans
  inner join {{ ref('dim_days') }} as days
    on days.week_start >= spans.first_week
    and days.week_start <= spans.last_week
  left join {{ ref('stg_harvest__time_off_assignments') }} as assignments
    on assignments.user_id = spans.user_id
  left join {{ ref('stg_harvest__work_schedules') }} as schedules
    on schedules.work_schedule_id = assignments.work_schedule_id
    and schedules.weekday = days.weekday
  left join {{ ref('stg_harvest__public_holidays') }} as holidays
    on holidays.holiday_calendar_id = assignments.holiday_calendar_id
    and holidays.day = days.day
),

time_off as (
  select
    time_off.user_id,
    time_off.day,
    sum(coalesce(time_off.hours, time_off.day_fraction * person_days.scheduled_hours)) as hours
  from {{ ref('stg_harvest__time_off_days') }} as time_off
  inner join person_days
    on person_days.user_id = time_off.user_id
    and person_days.day = time_off.day
  group by time_off.user_id, time_off.day
),

counted as (
  select
    person_days.*,
    case when person_days.is_employed then person_days.scheduled_hours else 0 end as work_hours,
    case
      when not person_days.is_employed or person_days.is_holiday then 0
      when time_off.hours > person_days.scheduled_hours then person_days.scheduled_hours
      else coalesce(time_off.hours, 0)
    end as time_off_hours
  from person_days
  left join time_off
    on time_off.user_id = person_days.user_id
    and time_off.day = person_days.day
),

tracked as (
  select
    user_id,
    spent_date,
    sum(hours) as hours,
    sum(billable_hours) as billable_hours
  from {{ ref('fct_time') }}
  group by user_id, spent_date
),

weeks as (
  select
    counted.user_id,
    counted.person_name,
    counted.week_start,
    coalesce(sum(tracked.hours), 0) as hours,
    coalesce(sum(tracked.billable_hours), 0) as billable_hours,
    sum(counted.capacity_hours) as capacity_hours,
    sum(case when counted.is_holiday then counted.work_hours else 0 end) as holiday_hours,
    sum(counted.time_off_hours) as time_off_hours,
    sum(
      case when counted.is_holiday then 0 else counted.work_hours - counted.time_off_hours end
    ) as net_capacity_hours
  from counted
  left join tracked
    on tracked.user_id = counted.user_id
    and tracked.spent_date = counted.day
  group by counted.user_id, counted.person_name, counted.week_start
)

select
  user_id,
  person_name,
  week_start,
  {{ harvest.days_after('week_start', 6) }} as week_end,
  {{ harvest.days_after('week_start', 6) }} < {{ harvest.today() }} as is_complete,
  hours,
  billable_hours,
  capacity_hours,
  holiday_hours,
  time_off_hours,
  net_capacity_hours,
  {{ harvest.ratio('hours', 'capacity_hours') }} as utilization,
  {{ harvest.ratio('billable_hours', 'capacity_hours') }} as billable_utilization,
  {{ harvest.ratio('hours', 'net_capacity_hours') }} as net_utilization,
  {{ harvest.ratio('billable_hours', 'net_capacity_hours') }} as net_billable_utilization
from weeks
